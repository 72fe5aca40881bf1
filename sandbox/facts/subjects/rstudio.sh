# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# R as it is inside a session of RStudio Server.

has_rstudio() {
    [ -d /usr/lib/rstudio-server ]
}

# The R of its sessions: as it is said, or the first on the path that services have
rstudio_program() {
    probe_program=$(LC_ALL=C sed -n 's/^[[:space:]]*rsession-which-r[[:space:]]*=[[:space:]]*\(\/.*\)/\1/p' \
        /etc/rstudio/rserver.conf 2>/dev/null | tail -n 1)
    [ -n "$probe_program" ] || probe_program=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        command -v R)
    printf '%s\n' "$probe_program"
}

rstudio_at_once() {
    has_rstudio || return
    section rstudio-server
    {
        probe_version=$(dpkg-query -W -f '${Version}' rstudio-server 2>/dev/null ||
            rpm -q --qf '%{VERSION}' rstudio-server 2>/dev/null)
        [ -z "$probe_version" ] || printf 'rstudio_version\t%s\n' "$probe_version"
        probe_program=$(rstudio_program)
        [ -z "$probe_program" ] || printf 'rstudio_r\t%s\n' "$probe_program"
        printf 'rstudio_open\t%s\n' "$(processes_like 'rsession' | while read -r probe_pid; do
            case $(readlink "/proc/$probe_pid/exe" 2>/dev/null) in */rsession) echo 1 ;; esac
        done | wc -l | tr -d ' ')"
    } | take pairs
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
