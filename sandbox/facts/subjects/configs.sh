# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# Where servers, R and logins get their settings from.

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

configs_as_root() {
    probe_configs
}

configs_without_root() {
    probe_configs
}
