# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# As whom each service runs, and what its new files may not be.

service_accounts_at_once() {
    [ -d /run/systemd/system ] || return
    section service-accounts
    LC_ALL=C systemctl show --no-pager -p Id,LoadState,User,UMask '*.service' shiny-server.service \
        rstudio-server.service 2>/dev/null | awk '
        function told() {
            if (of["LoadState"] == "loaded" && of["Id"] != "")
                print of["Id"] "\t" (of["User"] == "" ? "root" : of["User"]) "\t" of["UMask"]
            split("", of)
        }
        $0 == "" { told(); next }
        { at = index($0, "="); of[substr($0, 1, at - 1)] = substr($0, at + 1) }
        END { told() }' | sort -u | take rows '' unit,account,umask
}
