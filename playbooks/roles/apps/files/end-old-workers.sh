# end-old-workers.sh RELEASES NAME RELEASE: end processes that still run in another release of that app.
# Shiny Server starts a new R for a new release, and keeps the old R for its last visitor.
set -eu
app=$1/$2
release=$app/$3

# Every process with its folder in an older release; `(deleted)` marks a release that is gone
old() {
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd" 2>/dev/null || true) in
        "$release" | "$release"/*) ;;
        "$app"/*) echo "${process#/proc/}" ;;
        esac
    done
}

tries=20
while pids=$(old) && [ -n "$pids" ] && [ "$tries" -gt 0 ]; do
    signal=TERM
    if [ "$tries" -lt 5 ]; then signal=KILL; fi
    for pid in $pids; do kill -s "$signal" "$pid" 2>/dev/null || true; done
    sleep 0.1
    tries=$((tries - 1))
done
