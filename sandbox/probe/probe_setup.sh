# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see probe.sh
# How the machine is set up beside R: packages, programs, drivers, fonts, certificates, configuration.
# Uses the functions of probe.sh.

probe_setup() {
    probe_packages
    probe_tools
    probe_odbc
    probe_fonts
    probe_certificates
    probe_units
}

probe_packages() {
    if have dpkg-query; then
        section dpkg
        # shellcheck disable=SC2016  # dpkg-query's own fields
        dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Version}\t${Priority}\n' 2>/dev/null | take dpkg
        if [ -r /var/lib/apt/extended_states ]; then
            section apt-auto
            LC_ALL=C awk '$1 == "Package:" { name = $2 }
                $1 == "Auto-Installed:" && $2 == 1 && name ~ /^[A-Za-z0-9+._~-]+$/ { print name }' \
                /var/lib/apt/extended_states
        fi
    elif have rpm; then
        section rpm
        rpm -qa --qf '%{NAME}\t%{VERSION}-%{RELEASE}\n' 2>/dev/null | take rpm
    else
        unseen "system packages" "there is no dpkg-query and no rpm"
    fi
}

# A program that hangs costs seconds, not the answer
briefly() {
    if have timeout; then
        timeout -k 1 5 "$@" </dev/null 2>&1
    else
        "$@" </dev/null 2>&1
    fi
}

probe_tools() {
    section tools
    for probe_tool in pandoc quarto pdflatex xelatex java python3 gcc g++ gfortran make git curl; do
        probe_path=$(command -v "$probe_tool" 2>/dev/null)
        case $probe_path in
        /*) ;;
        *) continue ;;
        esac
        case $probe_tool in
        java) probe_text=$(briefly java -version) ;;
        *) probe_text=$(briefly "$probe_tool" --version) ;;
        esac
        # Of what it says only the version: `gcc (Debian 12.2.0-14) 12.2.0`, `version "17.0.2" 2022-01-18`
        printf '%s\t%s\t%s\n' "$probe_tool" "$(readlink -f "$probe_path")" "$(printf '%s\n' "$probe_text" | head -n 1 |
            LC_ALL=C sed -n 's/([^)]*)//g; /"[0-9]/{s/^[^"]*"\([^"]*\)".*/\1/;p;q;}; s/^[^0-9]*\([0-9][0-9A-Za-z._+-]*\).*/\1/p')"
    done | take rows '' tool,path,version
}

probe_odbc() {
    for probe_file in "${ODBCSYSINI:-/etc}/odbcinst.ini" /etc/odbcinst.ini /etc/unixODBC/odbcinst.ini; do
        if [ -r "$probe_file" ]; then
            section odbcinst "$probe_file"
            take_file "$probe_file" ini odbc
            section odbc-libraries
            sed -n 's/^[[:space:]]*[Dd]river[[:space:]]*=[[:space:]]*//p' "$probe_file" |
                while read -r probe_path; do
                    [ -e "$probe_path" ] && printf '%s\n' "$probe_path"
                done | take rows '' path
            return
        fi
    done
}

# Their files: to ask fontconfig could make it write its cache
probe_fonts() {
    [ -d /usr/share/fonts ] || [ -d /usr/local/share/fonts ] || return
    section fonts
    find /usr/share/fonts /usr/local/share/fonts -type f 2>/dev/null |
        sed -n 's,.*/\([^/]*\.\([ot]t[fc]\|pf[ab]\|t1\)\)$,\1,p' | sort -u | take rows '' font
}

probe_certificates() {
    for probe_file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /var/lib/ca-certificates/ca-bundle.pem; do
        if [ -r "$probe_file" ]; then
            section certificates "$probe_file" "$(sha256sum "$probe_file" 2>/dev/null | cut -d ' ' -f 1)" \
                "$(grep -c 'BEGIN CERTIFICATE' "$probe_file")"
            for probe_path in /usr/local/share/ca-certificates/* /usr/local/share/ca-certificates/*/* \
                /etc/pki/ca-trust/source/anchors/* /etc/pki/trust/anchors/*; do
                [ -f "$probe_path" ] && printf '%s\n' "${probe_path##*/}"
            done | take rows '' certificate
            return
        fi
    done
}

probe_units() {
    [ -d /run/systemd/system ] || return
    section units
    for probe_tool in shiny-server rstudio-server rstudio-launcher rstudio-connect rstudio-pm; do
        for probe_dir in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
            if [ -e "$probe_dir/$probe_tool.service" ]; then
                section unit "$probe_tool.service"
                LC_ALL=C systemctl show --no-pager "$probe_tool.service" -p User,Group,Environment \
                    -p EnvironmentFiles,LimitNOFILE,LimitNPROC,MemoryMax,TasksMax,UMask,PrivateTmp \
                    -p Restart,NoNewPrivileges,ProtectSystem,ProtectHome,Nice,DropInPaths,FragmentPath \
                    2>/dev/null | take unit
                break
            fi
        done
    done
}

# ---- more of it with root ----------------------------------------------------------------------------

# R packages in people's own libraries
probe_user_libraries() {
    section user-libraries
    { getent passwd 2>/dev/null || cat /etc/passwd; } | while IFS=: read -r probe_user _ _ _ _ probe_home _; do
        # System accounts share folders such as / and /usr/sbin
        case $probe_home in
        '' | / | /bin | /dev* | /usr/*) continue ;;
        esac
        for probe_dir in "$probe_home"/R/*library/[0-9]*; do
            [ -d "$probe_dir" ] || continue
            set --
            for probe_file in "$probe_dir"/*/DESCRIPTION; do
                [ -f "$probe_file" ] && [ -r "$probe_file" ] && set -- "$@" "$probe_file"
            done
            [ $# -gt 0 ] && LC_ALL=C USER_OF="$probe_user" FOLDER="$probe_dir" awk '
                # What has not both is a row of one field, which take counts as odd
                function told() {
                    if (name == "" || version == "") print "odd"
                    else print ENVIRON["USER_OF"] "\t" name "\t" version "\t" ENVIRON["FOLDER"]
                }
                FNR == 1 { if (NR > 1) told(); name = version = "" }
                { sub(/\r$/, "") }
                $1 == "Package:" && name == "" { name = $2 }
                $1 == "Version:" && version == "" { version = $2 }
                END { if (NR) told() }' "$@" 2>/dev/null
        done
    done | take rows '' account,package,version,path
}

# Where servers, R and logins get their settings from. Rprofile.site is code: R itself reads it (probe.R)
probe_configs() {
    config_section config /etc/environment env
    config_section config /etc/odbc.ini ini odbc
    for probe_file in /etc/security/limits.conf /etc/security/limits.d/*.conf; do
        config_section config "$probe_file" limits
    done
    for probe_file in /etc/rstudio/*.conf /etc/rstudio/file-locks /etc/rstudio-connect/*.gcfg /etc/rstudio-pm/*.gcfg; do
        case $probe_file in
        */repos.conf) config_section config "$probe_file" ini repo ;;
        *) config_section config "$probe_file" ini rstudio ;;
        esac
    done
    config_section config /etc/rstudio/rstudio-prefs.json json rstudio
    if [ -r /etc/rstudio/r-versions ]; then
        section config /etc/rstudio/r-versions
        LC_ALL=C sed -n 's/[[:space:]]*$//; s/^[[:space:]]*\(\/.*\)/\1/p' /etc/rstudio/r-versions | head -n 1000 |
            tr '\t' ' ' | take rows '' path | awk '{ print "line " NR "\t" $0 }'
    fi
    if [ -r /etc/shiny-server/shiny-server.conf ]; then
        section config /etc/shiny-server/shiny-server.conf
        take_file /etc/shiny-server/shiny-server.conf shiny again |
            awk '{ print "line " NR "\t" $0 }'
    else
        config_section config /etc/shiny-server/shiny-server.conf shiny
    fi
    for probe_dir in /usr/lib/R /usr/lib64/R /usr/local/lib/R /usr/local/lib64/R /opt/R/*/lib/R \
        /opt/R/*/lib64/R /opt/local/lib/R; do
        for probe_tool in Renviron.site Renviron; do
            config_section config "$probe_dir/etc/$probe_tool" env
        done
    done
}
