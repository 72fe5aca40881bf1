#!/bin/sh
# Prints in one line how far the apt of a run has come; prints nothing when none is at work.
# Run as root: sh -s RUN KNOWN < apt-progress.sh. Reads only.
#   KNOWN  the text after `known: ` in an earlier answer, so that it is computed once; or nothing
set -u
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
run=$1
known=${2:-}
archives=/var/cache/apt/archives

here=$(readlink /proc/self/ns/pid)
# The processes of this run; or of an earlier one, which was cut off and must end first
apt='' dpkg='' fetching='' earlier=''
# shellcheck disable=SC2013  # one word each
for file in $(grep -lzs '^SANDBOX_RUN=' /proc/[0-9]*/environ); do
    pid=${file#/proc/} pid=${pid%/environ}
    # Processes in a container of this machine belong to another machine
    [ "$(readlink "/proc/$pid/ns/pid")" = "$here" ] || continue
    case $(cat "/proc/$pid/comm" 2>/dev/null) in
    apt-get) apt=${apt:-$pid} ;;
    dpkg) dpkg=$pid ;;
    http | https | file | copy) fetching=$pid ;;
    *) continue ;;
    esac
    grep -qzsx "SANDBOX_RUN=$run" "$file" || earlier='an earlier run comes to its end: '
done

# counted WORD NAME NUMBER ALL PERCENT
counted() {
    case $4 in
    0 | '') echo "at: $earlier$1 $2" ;;
    *) echo "at: $earlier$1 $2 ($3 of $4 packages, $5 %)" ;;
    esac
}

if [ -n "$dpkg" ]; then
    # Before apt begins, it prints what will be installed; dpkg prints what it does
    begun=$(awk '/^Start-Date:/ { start = $2 " " $3; all = 0 }
        /^(Install|Upgrade|Reinstall|Downgrade): / { all += gsub(/\(/, "") }
        END { print all + 0, start }' /var/log/apt/history.log 2>/dev/null)
    # Configuring packages by hand is not a transaction of apt's
    [ -n "$apt" ] || begun=0
    # shellcheck disable=SC2046  # word, name and three numbers
    counted $(tail -n 20000 /var/log/dpkg.log 2>/dev/null | awk -v start="${begun#* }" -v all="${begun%% *}" '
        $1 " " $2 < start { next }
        $3 == "install" || $3 == "upgrade" { word = "unpacking"; name = $4; wanted[$4] }
        $3 == "configure" { word = "setting-up"; name = $4 }
        $3 == "trigproc" { word = "updating"; name = $4 }
        $3 == "status" && $4 == "unpacked" && $5 in wanted && !($5 in unpacked) { unpacked[$5]; u++ }
        $3 == "status" && $4 == "installed" && $5 in wanted && !($5 in installed) { installed[$5]; i++ }
        END {
            sub(/:.*/, "", name)
            if (name == "") { word = "unpacking"; name = "packages" }
            done = word == "unpacking" ? u : i
            percent = all ? int((u + i) * 100 / (2 * all)) : 0
            if (percent > 100) percent = 100
            print word, name, done + 0, all, percent
        }') | sed 's/setting-up/setting up/'
    exit
fi

[ -n "$apt" ] && [ -n "$fetching" ] || exit 0
if tr '\0' '\n' <"/proc/$apt/cmdline" 2>/dev/null | grep -qx update; then
    echo "at: ${earlier}reading the mirror's lists of packages"
    exit
fi

# sum: number and bytes of the lines `NAME BYTES`, each name once
sum() { awk '!($1 in seen) { seen[$1]; n++; s += $2 } END { print n + 0, s + 0 }'; }
# there DEPTH: the packages that have come; with a depth of 2 also those that have come in part
there() { find "$archives" -maxdepth "${1:-1}" -name '*.deb' -printf '%f %s\n' 2>/dev/null; }
case $known in
"$apt "*) ;;
*)
    # The same apt command prints what it has still to fetch; some may come meanwhile
    # shellcheck disable=SC2016  # for the other shell
    all=$({
        timeout 30 xargs -0 sh -c '"$@" -qq --print-uris' sh <"/proc/$apt/cmdline" 2>/dev/null \
            | awk '$3 ~ /^[0-9]+$/ { print $2, $3 }'
        there
    } | sum)
    known="$apt $all"
    echo "known: $known"
    ;;
esac
now=$(there 2 | sum)
# shellcheck disable=SC2012  # names of packages
name=$(ls -t "$archives/partial" 2>/dev/null | head -n 1)
all=${known#* }
bytes=${known##* }
percent=0
[ "$bytes" -gt 0 ] && percent=$((${now#* } * 100 / bytes))
[ "$percent" -le 100 ] || percent=100
name=${name%%_*}
counted fetching "${name:-packages}" "${now% *}" "${all% *}" "$percent"
