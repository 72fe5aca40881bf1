# try-limits.sh NOFILE NPROC: can a session of this machine get these limits? Empty: not asked for.
# pam_limits prints nothing when it cannot, and the session silently keeps the old ones.
set -eu
nofile=$1
nproc=$2

try() {
    # Under systemd as a service, with the hard limits that sshd has too: pam_limits has changed those of
    # this very session before
    if [ -d /run/systemd/system ]; then
        systemd-run --quiet --wait --collect prlimit "$1" true
    else
        prlimit "$1" true
    fi
}

refuse() {
    most=$(awk -v what="$2" 'index($0, what) == 1 { print $(NF - 1) }' /proc/1/limits)
    echo "this machine cannot give a session $1: process 1 itself may have ${most:-an unknown number}" >&2
    exit 1
}

if [ -n "$nofile" ] && ! try "--nofile=$nofile:$nofile" 2>/dev/null; then
    refuse "$nofile open files (nofile)" "Max open files"
fi
if [ -n "$nproc" ] && ! try "--nproc=$nproc:$nproc" 2>/dev/null; then
    refuse "$nproc processes (nproc)" "Max processes"
fi
