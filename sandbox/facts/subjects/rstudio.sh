# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# R as it is inside a session of RStudio Server.

has_rstudio() {
    [ -d /usr/lib/rstudio-server ]
}

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

rstudio_r_as_root() {
    probe_r_rstudio
}

rstudio_hidden() {
    has_rstudio && unseen "R inside an RStudio session" "needs root: $1"
}
