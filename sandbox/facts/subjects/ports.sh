# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# Listening sockets.

probe_ports() {
    if have ss && probe_text=$(ss -H -l -n -t -u -p 2>/dev/null); then
        section ss
        printf '%s\n' "$probe_text" | take ss
        return
    fi
    for probe_file in tcp tcp6 udp udp6; do
        if [ -r "/proc/net/$probe_file" ]; then
            section "proc-net-$probe_file"
            cat "/proc/net/$probe_file"
        fi
    done
    unseen "processes of listening ports" "there is no ss command"
}

ports_as_root() {
    probe_ports
}

ports_without_root() {
    probe_ports
    unseen "processes of others' listening ports" "needs root: $1"
}
