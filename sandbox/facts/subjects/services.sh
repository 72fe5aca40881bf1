# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The services of systemd.

services_at_once() {
    if ! [ -d /run/systemd/system ]; then
        unseen "services" "systemd does not run here"
        return
    fi
    section services
    # Units that nothing uses are not in memory, and not in '*'
    LC_ALL=C systemctl show --no-pager \
        -p Id,LoadState,ActiveState,SubState,UnitFileState,Restart,MainPID \
        '*.service' shiny-server.service rstudio-server.service ssh.service 2>/dev/null | take services
}
