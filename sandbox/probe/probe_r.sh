# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154  # variables that stand in front, see probe.sh
# R as it is seen: by a login, and from inside a Shiny app. Uses the functions of probe.sh.

# ---- R -----------------------------------------------------------------------------------------------

R_OPTIONS='--slave --no-save --no-restore --no-init-file'

# Every R home on the machine, with what led to it
find_r() {
    probe_last=
    for probe_file in "$1" /usr/bin/R /usr/local/bin/R /usr/lib/R /usr/lib64/R /usr/local/lib/R \
        /usr/local/lib64/R /opt/local/lib/R /opt/local/lib64/R /opt/R/* /opt/local/R/*; do
        probe_r=$probe_file
        [ -d "$probe_file" ] && probe_r=$probe_file/bin/R
        if [ -n "$probe_file" ] && [ -f "$probe_r" ] && [ -x "$probe_r" ]; then
            probe_real=$(readlink -f "$probe_r")
            # Another name of the same R: it need not be asked again
            if [ "$probe_real" != "$probe_last" ]; then
                probe_home=$(limited "$probe_r" RHOME </dev/null 2>/dev/null | tail -n 1)
                probe_last=$probe_real
            fi
            # Whatever else is called R has no base package
            if [ -r "$probe_home/library/base/DESCRIPTION" ]; then
                printf '%s\t%s\t%s\t%s\n' "$probe_home" \
                    "$(LC_ALL=C sed -n 's/^Version: *\([0-9.]*\).*/\1/p' "$probe_home/library/base/DESCRIPTION" | head -n 1)" \
                    "$probe_file" "$probe_r"
            fi
        fi
    done
}

r_text() {
    printf 'probe_boundary <- "%s"; probe_loads <- "%s"; probe_owners <- %s\n%s\n' \
        "$B" "$1" "${probe_owners:-FALSE}" "$PROBE_R"
}

# What R prints may leave this machine as far as it is known: its facts, and the words before and between
# them. Those of a machine of our own pass for what they are, without what looks like a secret
hide_words() {
    if [ "$OWN" = 1 ]; then
        take r | LC_ALL=C sed -E "/^$B	/b
$HIDE" 2>/dev/null
    else
        take r
    fi
}

# r_view SEEN_BY HOW HOME LOADS EXTRA COMMAND...: a view of R, started by COMMAND with R's options added.
# When R does not come up with its site files, again without them.
r_view() {
    probe_seen_by=$1 probe_how=$2 probe_home=$3 probe_loads=$4 probe_profile=$5
    shift 5
    probe_text=$(r_text "$probe_loads" | "$@" 2>&1)
    probe_status=$?
    case $probe_text in
    *"${B}	end-of-facts"*)
        section r-view "$probe_seen_by" "$probe_how" "$(one path "$probe_home")" "$probe_status" \
            "$(one path "$probe_profile")"
        printf '%s\n' "$probe_text" | hide_words
        return 0
        ;;
    esac
    section r-failed "$probe_seen_by" "$probe_how" "$(one path "$probe_home")" "$probe_status"
    printf '%s\n' "$probe_text" | tail -n 40 | words
    return 1
}

# The shell that a login of this user would get, if it is one that understands us
login_shell() {
    case ${SHELL:-} in
    */sh | */bash | */dash | */zsh | */ksh | */mksh) printf '%s\n' "$SHELL" ;;
    *) printf '/bin/sh\n' ;;
    esac
}

# A personal profile is a program of its owner's: not run here, only mentioned
personal_profile() {
    for probe_file in "$1/.Rprofile" "$2/.Rprofile"; do
        if [ -e "$probe_file" ]; then
            printf '%s\n' "$probe_file"
            return
        fi
    done
}

login_view() {
    probe_start="exec \"\$0\" $R_OPTIONS"
    probe_mine=$(personal_profile "$PWD" "${HOME:-/}")
    for probe_more in '' ' --no-site-file'; do
        r_view login login "$2" "$3" "$probe_mine" \
            limited "$1" -l -c "$probe_start$probe_more" "$4" && return 0
    done
    case $probe_text in
    *R_TempDir*)
        # The disk is full, or /tmp is not ours to write in: memory will do
        [ -d /dev/shm ] && r_view login login "$2" "$3" "$probe_mine" \
            limited env TMPDIR=/dev/shm "$1" -l -c "$probe_start" "$4"
        ;;
    esac
}

# probe_r_login LOADS: every R as a login sees it
probe_r_login() {
    probe_shell=$(login_shell)
    probe_path_r=$(limited "$probe_shell" -l -c 'command -v R' </dev/null 2>/dev/null | tail -n 1)
    case $probe_path_r in
    /*) ;;
    *) probe_path_r=$(command -v R 2>/dev/null) ;;
    esac
    probe_found=$(find_r "$probe_path_r")
    section r-found "$(one path "$probe_path_r")"
    printf '%s\n' "$probe_found" | take rows '' path,version,path,path
    probe_seen=:
    probe_first_loads=$1
    # Asked once, by the first R
    probe_owners=TRUE
    # No pipe into the loop, its variables would be lost; no here-document, which needs room on the disk
    set -f
    probe_ifs=$IFS
    IFS='
'
    for probe_line in $probe_found; do
        IFS=$probe_ifs
        probe_r_home=${probe_line%%	*}
        case $probe_seen in
        *:"$probe_r_home":*) continue ;;
        esac
        probe_seen=$probe_seen$probe_r_home:
        login_view "$probe_shell" "$probe_r_home" "$probe_first_loads" "${probe_line##*	}"
        probe_first_loads=
        probe_owners=FALSE
    done
    IFS=$probe_ifs
    set +f
}

# ---- inside a Shiny app (root) -------------------------------------------------------------------------

# The soft and hard value of a limit of a process, as prlimit wants them
limit_of() {
    awk -v name="$2" 'index($0, name) == 1 {
        rest = substr($0, length(name) + 1); split(rest, at, " "); print at[1] ":" at[2]
    }' "/proc/$1/limits" 2>/dev/null
}

# One variable of a process's environment
variable_of() {
    tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | sed -n "s/^$2=//p" | head -n 1
}

field_of() {
    awk -v name="$2:" '$1 == name { $1 = ""; sub(/^ /, ""); print; exit }' "/proc/$1/status" 2>/dev/null
}

# with_limits_of PID COMMAND...: with that process's limits and umask
with_limits_of() {
    probe_pid=$1
    shift
    if [ -d "/proc/$probe_pid" ] && have prlimit; then
        umask "$(field_of "$probe_pid" Umask)"
        # Root in a container may not raise a hard limit: then R does without
        for probe_file in --nofile="$(limit_of "$probe_pid" 'Max open files')" \
            --nproc="$(limit_of "$probe_pid" 'Max processes')"; do
            prlimit "$probe_file" true 2>/dev/null && set -- prlimit "$probe_file" "$@"
        done
    fi
    limited "$@"
}

# processes_like PATTERN: their ids; not those inside containers that run on this machine
processes_like() {
    probe_space=$(readlink /proc/self/ns/pid)
    grep -l -s "$1" /proc/[0-9]*/cmdline | while read -r probe_file; do
        probe_dir=${probe_file%/cmdline}
        if [ "$(readlink "$probe_dir/ns/pid")" = "$probe_space" ]; then
            printf '%s\n' "${probe_dir#/proc/}"
        fi
    done
}

# is_served PID: whether it has a Shiny Server above it; one that was killed leaves its R processes behind
is_served() {
    probe_above=$1
    while probe_above=$(field_of "$probe_above" PPid) && [ "${probe_above:-0}" -gt 1 ]; do
        if grep -q -s 'shiny-server.*main\.js' "/proc/$probe_above/cmdline"; then
            return 0
        fi
    done
    return 1
}

# The R process of a live app, if there is one: of several the youngest, as the others may be of a release
# of the app that is no longer served. One whose folder was removed would see nothing but errors
find_worker() {
    processes_like 'SockJSAdapter\.R' | while read -r probe_pid; do
        probe_dir=/proc/$probe_pid
        case $(readlink "$probe_dir/exe" 2>/dev/null) in
        */bin/exec/R)
            if [ -d "$(readlink "$probe_dir/cwd" 2>/dev/null)" ] && is_served "$probe_pid"; then
                # Since the start of the system; names of programs may have spaces, `)` ends them
                printf '%s %s\n' "$(sed 's/.*) //' "$probe_dir/stat" | cut -d ' ' -f 20)" "$probe_pid"
            fi
            ;;
        esac
    done | sort -n | tail -n 1 | cut -d ' ' -f 2
}

find_shiny_server() {
    probe_pid=$(systemctl show -p MainPID --value shiny-server.service 2>/dev/null)
    if [ "${probe_pid:-0}" -le 0 ]; then
        probe_pid=$(processes_like 'shiny-server.*main\.js' | head -n 1)
    fi
    printf '%s\n' "$probe_pid"
}

# worker_view SEEN_BY PID R LOADS: that R, with the environment, limits, umask, user, groups and folder of
# a live process
worker_view() {
    probe_viewer=$1 probe_exe=$3 probe_worker_loads=$4
    shift
    probe_groups=$(field_of "$1" Groups | sed 's/ *$//; s/ /,/g')
    cd "/proc/$1/cwd" 2>/dev/null || return 1
    section worker-limits "$probe_viewer"
    cat "/proc/$1/limits"
    probe_mine=$(personal_profile "$(readlink "/proc/$1/cwd")" "$(variable_of "$1" HOME)")
    for probe_more in '' '--no-site-file'; do
        # shellcheck disable=SC2086  # options are words
        r_view "$probe_viewer" worker "${probe_exe%/bin/exec/R}" "$probe_worker_loads" "$probe_mine" \
            worker_r "$1" $R_OPTIONS $probe_more && return 0
    done
    return 1
}

# The environment of a process as `export` lines. Never on a command line, where everybody could read it.
# Names that a shell cannot set, or keeps for itself, are left out.
variables_of() {
    LC_ALL=C sed -z -n \
        -e '/^\(UID\|EUID\|PPID\|BASHOPTS\|SHELLOPTS\|BASH_VERSINFO\)=/d' \
        -e "s/'/'\\\\''/g" \
        -e "s/^\([A-Za-z_][A-Za-z0-9_]*\)=\(.*\)\$/export \1='\2'/p" \
        "/proc/$1/environ" | tr '\0' '\n'
}

# worker_r PID OPTIONS...: run $probe_exe as that process was run, R's text on standard input
worker_r() {
    probe_worker=$1
    shift
    probe_keep=--clear-groups
    [ -n "$probe_groups" ] && probe_keep=--groups=$probe_groups
    # shellcheck disable=SC2016  # for the inner shell
    probe_start='probe=$(cat); unset PWD OLDPWD SHLVL _; eval "$probe"; exec "$@" <&3 3<&-'
    exec 3<&0
    variables_of "$probe_worker" |
        with_limits_of "$probe_worker" setpriv "$probe_keep" \
            --reuid="$(field_of "$probe_worker" Uid | cut -d ' ' -f 1)" \
            --regid="$(field_of "$probe_worker" Gid | cut -d ' ' -f 1)" \
            env -i sh -c "$probe_start" sh "$probe_exe" "$@"
}

# A folder that Shiny Server would start an app in, if the configuration names one with an app in it
app_folder() {
    awk '$1 == "site_dir" || $1 == "app_dir" { sub(/;.*/, "", $2); print $2 }' "$1" 2>/dev/null |
        while read -r probe_dir; do
            for probe_file in "$probe_dir"/app.R "$probe_dir"/server.R "$probe_dir"/*/app.R \
                "$probe_dir"/*/server.R "$probe_dir"/*/*.Rmd; do
                if [ -f "$probe_file" ]; then
                    printf '%s\n' "${probe_file%/*}"
                    return
                fi
            done
        done | head -n 1
}

single_quoted() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

# No app lives: start R on the road that Shiny Server takes (lib/worker/app-worker.js): su, a login shell,
# and of the server's own environment only HOME, LANG and PATH
replay_view() {
    probe_config=$1
    probe_server=$(find_shiny_server)
    probe_user=$(awk '$1 == "run_as" { sub(/;.*/, "", $2); print $2; exit }' "$probe_config")
    case $probe_user in
    '' | :*) probe_user=shiny ;;
    esac
    probe_home=$(getent passwd "$probe_user" | cut -d : -f 6)
    if [ -z "$probe_home" ]; then
        unseen "R inside a Shiny app" "there is no user $(one account "$probe_user"), whom the apps would run as"
        return 1
    fi
    probe_dir=$(app_folder "$probe_config")
    probe_mine=$(personal_profile "${probe_dir:-$probe_home}" "$probe_home")
    probe_program=$(variable_of "${probe_server:-none}" R)
    for probe_more in '' '--no-site-file'; do
        probe_start="cd $(single_quoted "${probe_dir:-$probe_home}") &&"
        probe_start="$probe_start $(single_quoted "${probe_program:-R}") $R_OPTIONS $probe_more"
        r_view shiny replay "" "$2" "$probe_mine" replay_r && return 0
    done
    return 1
}

replay_r() {
    probe_path=$(variable_of "${probe_server:-none}" PATH)
    probe_lang=$(variable_of "${probe_server:-none}" LANG)
    set -- "PATH=${probe_path:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}" \
        su -s /bin/bash --login -p -- "$probe_user" -c "$probe_start"
    [ -n "$probe_lang" ] && set -- "LANG=$probe_lang" "$@"
    cd / && with_limits_of "${probe_server:-none}" env -i "HOME=$probe_home" "$@"
}

probe_r_shiny() {
    for probe_config in /etc/shiny-server/shiny-server.conf /opt/shiny-server/config/default.config \
        /usr/lib/shiny-server/config/default.config; do
        [ -e "$probe_config" ] && break
    done
    probe_worker=$(find_worker)
    if [ -n "$probe_worker" ] && have setpriv && have prlimit; then
        worker_view shiny "$probe_worker" "$(readlink "/proc/$probe_worker/exe")" "$1" && return
    fi
    # The app may have ended meanwhile
    replay_view "$probe_config" "$1"
}

# ---- inside a session of RStudio Server (root) -----------------------------------------------------------

# Only of a session that somebody has open: to start one would be to log in as somebody
probe_r_rstudio() {
    has_rstudio || return
    for probe_pid in $(processes_like 'rsession'); do
        probe_exe=$(variable_of "$probe_pid" R_HOME)/bin/exec/R
        case $(readlink "/proc/$probe_pid/exe") in
        */rsession)
            if [ -x "$probe_exe" ] && have setpriv && have prlimit; then
                worker_view rstudio "$probe_pid" "$probe_exe" '' && return
            fi
            ;;
        esac
    done
    unseen "R inside an RStudio session" "nobody has a session open"
}
