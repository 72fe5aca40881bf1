# run-rstudio.sh PORT STALE CHECK: lets the server run, and ends when it listens; prints `changed` when it was
# started. STALE `true`: it has to start again. CHECK `true`: it can check its configuration by itself first.
#
# A server that does not start says why in its log only; systemd shows that it failed, and nothing else.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C
port=$1 stale=$2 check=$3
unit=rstudio-server.service
log=/var/log/rstudio/rstudio-server/rserver.log

listens() {
    ss -Hltn "sport = :$port" | grep -q .
}

give_up() {
    echo "RStudio Server does not $1; it says:" >&2
    {
        [ ! -f "$log" ] || tail -n 15 "$log"
        journalctl --quiet --no-pager --output cat --unit "$unit" --lines 15 || true
    } >&2
    exit 1
}

systemctl unmask --quiet "$unit"
systemctl enable --quiet "$unit" 2>/dev/null || systemctl enable "$unit" >&2
if [ "$(systemctl is-active "$unit")" = active ] && [ "$stale" != true ] && listens; then
    exit 0
fi
if [ "$check" = true ]; then
    rstudio-server check-config >&2 || give_up "like its configuration"
fi
# A server that failed a few times may not be started again for a while
systemctl reset-failed "$unit" 2>/dev/null || true
systemctl restart "$unit" || give_up start
tries=300
until listens; do
    if [ "$tries" -le 0 ] || [ "$(systemctl is-active "$unit")" = failed ]; then
        give_up "listen on port $port"
    fi
    tries=$((tries - 1))
    sleep 0.1
done
echo changed
