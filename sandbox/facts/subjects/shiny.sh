# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# Shiny Server's configuration, and R as it is inside a Shiny app.

has_shiny_server() {
    [ -d /usr/lib/shiny-server ] || [ -d /opt/shiny-server ]
}

shiny_at_once() {
    for probe_file in /etc/shiny-server/shiny-server.conf /opt/shiny-server/config/default.config \
        /usr/lib/shiny-server/config/default.config; do
        if [ -e "$probe_file" ]; then
            probe_home=/usr/lib/shiny-server
            [ -d /opt/shiny-server ] && probe_home=/opt/shiny-server
            section shiny-server "$probe_file" "$(one path "$(readlink -f "$probe_file")")" \
                "$(LC_ALL=C sed -n '1s/[^0-9.].*//p' "$probe_home/VERSION" 2>/dev/null | cut -c 1-40)"
            take_file "$probe_file" shiny
            return
        fi
    done
}

# ---- inside a Shiny app (root) ---------------------------------------------------------------------

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
    read_limits "${probe_server:-none}"
    cd / && with_limits env -i "HOME=$probe_home" "$@"
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

shiny_r_as_root() {
    if has_shiny_server; then
        probe_r_shiny "$1"
    fi
}

shiny_hidden() {
    has_shiny_server && unseen "R inside a Shiny app" "needs root: $1"
}
