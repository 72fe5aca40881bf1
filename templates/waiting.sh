#!/bin/sh
# Prints in one line what the run in this machine waits for; prints nothing when all is well.
# Run as root: sh -s RUN < waiting.sh. Reads only, and asks the mirror for one small file.
set -u
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
run=$1
answer_s=8
here=$(readlink /proc/self/ns/pid)

name_of() { cat "/proc/$1/comm" 2>/dev/null || echo 'a program that has just ended'; }

# ours NAME...: whether a program of one of these names belongs to the run
ours() {
    # shellcheck disable=SC2013  # one word each
    for file in $(grep -lzsx "SANDBOX_RUN=$run" /proc/[0-9]*/environ); do
        # Processes in a container of this machine belong to another machine
        [ "$(readlink "${file%/environ}/ns/pid")" = "$here" ] || continue
        name=$(name_of "$(basename "${file%/environ}")")
        case " $* " in *" $name "*) return 0 ;; esac
    done
    return 1
}

# Another program has one of apt's locks, and our program may want it: Ansible's apt waits in Python,
# and the bootstrap script between two tries
for file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock \
    /var/cache/apt/archives/lock; do
    inode=$(stat -c %i "$file" 2>/dev/null) || continue
    pid=$(sed -n "s/^[0-9]*: POSIX  *ADVISORY  *WRITE \([0-9][0-9]*\) [0-9a-f:]*:$inode 0 EOF$/\1/p" \
        /proc/locks | head -n 1)
    [ -n "$pid" ] || continue
    if ! grep -qzsx "SANDBOX_RUN=$run" "/proc/$pid/environ" && ours apt-get dpkg python3 sh; then
        since=$(ps -o lstart= -p "$pid" 2>/dev/null | awk '{ print $4 }')
        echo "lock: process $pid ($(name_of "$pid")), at work since ${since:-a moment ago}"
        exit
    fi
done

# Is anything being fetched? Then something must be coming in
pgrep -x 'https?' >/dev/null 2>&1 || exit 0
amount() { du -sb /var/lib/apt/lists/partial /var/cache/apt/archives/partial 2>/dev/null | cut -f1; }
before=$(amount)

# A proxy looks up the mirror's name, and we only look up the proxy's name
proxy=
eval "$(apt-config shell proxy Acquire::http::Proxy)"
place=$(mktemp -d) || exit 0
trap 'rm -rf "$place"' EXIT
for uri in $(apt-get update --print-uris 2>/dev/null \
    | sed -n "s|^'\(https\{0,1\}://[^']*\)/dists/.*|\1|p" | sort -u); do
    host=${proxy:-$uri}
    host=${host#*://} host=${host#*@} host=${host%%/*} host=${host%%:*}
    if ! timeout 4 getent ahosts "$host" >/dev/null 2>&1; then
        servers=$(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf 2>/dev/null | tr '\n' ' ')
        [ -n "$servers" ] && servers="asking $servers" || servers='no name server is known'
        echo "names: $host (${servers% })"
        exit
    fi
    # Any answer will do: it only matters that one comes
    status=0
    timeout "$answer_s" /usr/lib/apt/apt-helper -o Acquire::Retries=0 \
        download-file "${uri%/}/README" "$place/file" >/dev/null 2>&1 || status=$?
    [ "$(amount)" = "$before" ] || exit 0
    if [ "$status" = 124 ]; then
        echo "mirror: $uri"
        exit
    fi
done
