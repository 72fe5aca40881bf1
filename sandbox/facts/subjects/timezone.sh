# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The system's timezone.

timezone_at_once() {
    section localtime
    {
        if [ -L /etc/localtime ]; then
            printf 'target\t%s\n' "$(readlink /etc/localtime)"
            printf 'resolved\t%s\n' "$(readlink -f /etc/localtime)"
        fi
        [ -r /etc/timezone ] && printf 'etc-timezone\t%s\n' "$(head -n 1 /etc/timezone)"
    } | take pairs
}
