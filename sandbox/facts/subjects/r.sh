# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# R as a login sees it, and what is needed to see it as somebody else's process does.

R_OPTIONS='--slave --no-save --no-restore --no-init-file'

# Every R home on the machine, with what led to it
find_r() {
    probe_last=
    for probe_file in "$1" /usr/bin/R /usr/local/bin/R /usr/lib/R /usr/lib64/R /usr/local/lib/R \
        /usr/local/lib64/R /opt/local/lib/R /opt/local/lib64/R /opt/R/* /opt/local/R/* \
        /usr/local/bin/R-*; do
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
    probe_first_loads=$1
    # What an app can load is what counts
    [ -n "$probe_root" ] && has_shiny_server && probe_first_loads=
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

# ---- as another process has it (root) ----------------------------------------------------------------

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

# read_limits PID: keep that process's limits and umask for with_limits
read_limits() {
    probe_umask='' probe_files='' probe_processes=''
    [ -d "/proc/$1" ] || return 0
    probe_umask=$(field_of "$1" Umask)
    probe_files=$(limit_of "$1" 'Max open files')
    probe_processes=$(limit_of "$1" 'Max processes')
}

# with_limits COMMAND...: with what read_limits has kept
with_limits() {
    if [ -n "$probe_umask" ] && have prlimit; then
        umask "$probe_umask"
        # Root in a container may not raise a hard limit: then R does without
        for probe_file in --nofile="$probe_files" --nproc="$probe_processes"; do
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

# worker_view SEEN_BY PID R LOADS: that R, with the environment, limits, umask, user, groups and folder of
# a live process. All of it is read first: from then on that process may end.
worker_view() {
    probe_viewer=$1 probe_exe=$3 probe_worker_loads=$4
    shift
    cd "/proc/$1/cwd" 2>/dev/null || return 1
    probe_groups=$(field_of "$1" Groups | sed 's/ *$//; s/ /,/g')
    probe_uid=$(field_of "$1" Uid | cut -d ' ' -f 1)
    probe_gid=$(field_of "$1" Gid | cut -d ' ' -f 1)
    probe_variables=$(variables_of "$1")
    read_limits "$1"
    section worker-limits "$probe_viewer"
    cat "/proc/$1/limits"
    probe_mine=$(personal_profile "$(readlink "/proc/$1/cwd")" "$(variable_of "$1" HOME)")
    if [ "${AT_APP:-}" = 1 ] && [ "$probe_viewer" = shiny ]; then echo probe-app-read >&4; fi
    for probe_more in '' '--no-site-file'; do
        # shellcheck disable=SC2086  # options are words
        r_view "$probe_viewer" worker "${probe_exe%/bin/exec/R}" "$probe_worker_loads" "$probe_mine" \
            worker_r $R_OPTIONS $probe_more && return 0
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

# worker_r OPTIONS...: run $probe_exe as worker_view has read it, R's text on standard input
worker_r() {
    probe_keep=--clear-groups
    [ -n "$probe_groups" ] && probe_keep=--groups=$probe_groups
    # shellcheck disable=SC2016  # for the inner shell
    probe_start='probe=$(cat); unset PWD OLDPWD SHLVL _; eval "$probe"; exec "$@" <&3 3<&-'
    exec 3<&0
    printf '%s\n' "$probe_variables" |
        with_limits setpriv "$probe_keep" --reuid="$probe_uid" --regid="$probe_gid" \
            env -i sh -c "$probe_start" sh "$probe_exe" "$@" 4>&-
}
