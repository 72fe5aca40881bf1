#!/bin/sh
# Brings a bare Debian to where Ansible can work. Run as root: sh -s < bootstrap.sh
# Can be run again at any time; changes nothing when all is in place.
set -eu
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# The exit statuses by which `sandbox` knows each failure
UNREACHABLE=71
APT_FAILED=72
DISK_FULL=73
LOCKED=74
NOT_ROOT=75
NO_NAMES=76

# Seconds to wait for a lock of another program, and for the dpkg of a run that was cut off
PATIENCE_S=180
DPKG_S=120

LOGIN=sandbox
KEEP=/var/lib/sandbox
sources_changed=

fail() {
    status=$1
    shift
    printf 'bootstrap: %s\n' "$*" >&2
    exit "$status"
}

# put FILE CONTENT: writes it whole or not at all; true when that changed something
put() {
    if [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; then
        return 1
    fi
    mkdir -p "${1%/*}"
    printf '%s\n' "$2" >"$1.new" || fail "$DISK_FULL" "cannot write $1"
    mv "$1.new" "$1"
}

# take_away FILE: true when it was there
take_away() {
    [ -e "$1" ] && rm -f "$1"
}

# judge TEXT: end with the reason, when apt's words mean a failure with a status of its own
judge() {
    case $1 in
    *'No space left on device'* | *"don't have enough free space"*)
        fail "$DISK_FULL" "no space is left on this machine" ;;
    *'Could not get lock'* | *'Unable to acquire the dpkg frontend lock'*)
        fail "$LOCKED" "another program holds the package manager's lock" ;;
    esac
    case $1 in
    *'Temporary failure resolving'* | *'Could not resolve'*)
        name=$(printf '%s\n' "$1" | sed -n "s/.*\(resolving\|resolve\) '\([^']*\)'.*/\2/p" | head -n 1)
        fail "$NO_NAMES" "the name $name cannot be resolved" ;;
    esac
    unreachable=$(printf '%s\n' "$1" | sed -n 's/^[EW]: Failed to fetch \([^ ]*\)  */\1: /p' | head -n 3)
    if [ -z "$unreachable" ]; then
        unreachable=$(printf '%s\n' "$1" | grep -E "does not have a Release file|is not signed|certificate" \
            | head -n 3 || true)
    fi
    if [ -n "$unreachable" ]; then
        fail "$UNREACHABLE" "cannot get packages from $unreachable"
    fi
}

# apt ARGS: apt-get, tried again while the lock is held or the network stumbles
apt() {
    attempt=0 began=$(date +%s)
    while :; do
        attempt=$((attempt + 1))
        if said=$(apt-get -q -y -o DPkg::Lock::Timeout=10 -o Acquire::Retries=1 \
            -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
            -o APT::Update::Error-Mode=any -o APT::Install-Recommends=false \
            -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" 2>&1); then
            printf '%s\n' "$said"
            return
        fi
        case $said in
        *'Could not get lock'*)
            most=$attempt
            [ $(($(date +%s) - began)) -ge "$PATIENCE_S" ] || most=$((attempt + 1)) ;;
        # Each such try has taken half a minute already
        *'Temporary failure resolving'*) most=2 ;;
        *'Failed to fetch'*) most=3 ;;
        *) most=1 ;;
        esac
        if [ "$attempt" -ge "$most" ]; then
            printf '%s\n' "$said" >&2
            judge "$said"
            fail "$APT_FAILED" "apt-get $1 failed"
        fi
        sleep 2
    done
}

# leftovers: the processes of an earlier run that was cut off; all that a run starts is marked
leftovers() {
    # shellcheck disable=SC2013  # one word each
    for file in $(grep -lzs '^SANDBOX_RUN=' /proc/[0-9]*/environ); do
        mark=$(tr '\0' '\n' 2>/dev/null <"$file" | sed -n 's/^SANDBOX_RUN=//p') || continue
        pid=${file#/proc/}
        # Without a mark, it has ended by now
        case $mark in '' | "${SANDBOX_RUN:-}") ;; *) printf '%s\n' "${pid%/environ}" ;; esac
    done
}

# end_leftovers: at once; but dpkg must not be broken off, and gets its time first
end_leftovers() {
    began=$(date +%s) told=
    while pids=$(leftovers) && [ -n "$pids" ]; do
        names=$(for pid in $pids; do cat "/proc/$pid/comm" 2>/dev/null || true; done | sort -u | tr '\n' ' ')
        case " $names" in
        *' dpkg'*) given_s=$DPKG_S how='waiting for its dpkg' ;;
        *) given_s=0 how='ending it' ;;
        esac
        if [ -z "$told" ]; then
            told=yes
            echo "note: an earlier run that was cut off is still at work in the machine (${names% }): $how"
        fi
        took_s=$(($(date +%s) - began))
        if [ "$took_s" -ge $((given_s + 10)) ]; then
            # shellcheck disable=SC2086  # process ids, one word each
            kill -KILL $pids 2>/dev/null || true
        elif [ "$took_s" -ge "$given_s" ]; then
            # shellcheck disable=SC2086
            kill $pids 2>/dev/null || true
        fi
        sleep 0.5
    done
}

# A run that was cut off leaves packages unpacked: finish them, once the lock is free
mend_dpkg() {
    attempt=0
    while [ -n "$(dpkg --audit)" ] || [ -n "$(ls -A /var/lib/dpkg/updates)" ]; do
        [ "$attempt" -gt 0 ] || echo "note: packages that an earlier run left half installed are finished"
        if said=$(dpkg --force-confdef --force-confold --configure -a 2>&1); then
            apt --fix-broken install
            return
        fi
        attempt=$((attempt + 1))
        case $said in *lock*) most=90 ;; *) most=1 ;; esac
        if [ "$attempt" -ge "$most" ]; then
            # Only apt can finish packages that are half unpacked
            case $said in *lock*) ;; *) apt --fix-broken install && return ;; esac
            printf '%s\n' "$said" >&2
            judge "$said"
            fail "$LOCKED" "another program holds the package manager's lock"
        fi
        sleep 2
    done
}

[ "$(id -u)" = 0 ] || fail "$NOT_ROOT" "this must be run as root"
mkdir -p "$KEEP"
end_leftovers

# The base's own sources are kept while a mirror of the box replaces them
use_own_sources() {
    if [ -d "$KEEP/apt" ]; then
        for file in sources.list sources.list.d; do
            if [ -e "$KEEP/apt/$file" ]; then
                cp -pR "$KEEP/apt/$file" /etc/apt/
            fi
        done
        rm -f /etc/apt/sources.list.d/sandbox.list /etc/apt/sources.list.d/sandbox-security.sources
        rm -rf "$KEEP/apt"
        sources_changed=yes
    fi
}
use_own_sources

if take_away /etc/apt/apt.conf.d/80sandbox-proxy; then
    sources_changed=yes
fi

certificates_changed=
wanted=' '
for file in /usr/local/share/ca-certificates/sandbox-*.crt; do
    case $wanted in
    *" $file "*) ;;
    *) if take_away "$file"; then certificates_changed=yes; fi ;;
    esac
done

mend_dpkg

# The times of the lists are the mirror's: our own file says whether the lists are old
if [ -n "$sources_changed" ] \
    || [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null | head -n 1)" ] \
    || [ -z "$(find "$KEEP/apt-updated" -mmin -1440 2>/dev/null)" ]; then
    rm -f "$KEEP/apt-updated"
    apt update
    touch "$KEEP/apt-updated"
fi

missing=
for package in python3 python3-apt sudo openssh-server ca-certificates; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # package names, one word each
    apt install $missing
fi

# A machine that can be reached now must be reached after its next start, too. Ubuntu 24.04 has a
# socket that starts ssh.service: that stays, and hands its connections to the service
if [ -d /run/systemd/system ] && ! systemctl --quiet is-enabled ssh.service 2>/dev/null; then
    systemctl --quiet unmask ssh.service
    systemctl --quiet enable ssh.service
    systemctl start ssh.service
fi

if [ -n "$certificates_changed" ]; then
    update-ca-certificates --fresh >/dev/null
fi

if ! id -u "$LOGIN" >/dev/null 2>&1; then
    useradd --create-home --shell /bin/bash "$LOGIN"
fi
if [ ! -e "/etc/sudoers.d/$LOGIN" ]; then
    put "/etc/sudoers.d/$LOGIN" "$LOGIN ALL=(ALL:ALL) NOPASSWD: ALL"
    chmod 0440 "/etc/sudoers.d/$LOGIN"
fi
