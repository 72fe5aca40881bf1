# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The table of time zones.

zoneinfo_at_once() {
    section zoneinfo
    {
        if [ -d /usr/share/zoneinfo ]; then
            printf 'zones_at\t%s\n' "$(readlink -f /usr/share/zoneinfo)"
        fi
        probe_text=no
        [ -e /usr/share/zoneinfo/Europe/Vienna ] && probe_text=yes
        printf 'zones_known\t%s\n' "$probe_text"
    } | take pairs
}
