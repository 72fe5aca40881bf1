#!/bin/sh
# An Incus cluster on this one machine, for tests: each member in a network namespace of its own.
#   cluster_lab.sh up N      start N members; prints the INCUS_DIR of the first
#   cluster_lab.sh kill K    end member K at once
#   cluster_lab.sh off K     as if it lost its power: off the network, and its machines are gone too
#   cluster_lab.sh start K   start it again
#   cluster_lab.sh cut K     take member K off the network, with its machines
#   cluster_lab.sh join K    put it back
#   cluster_lab.sh down      remove all of it
# Needs root, incusd and iproute2. Member K has the address 10.89.0.K.
set -eu
home=${CLUSTER_LAB_HOME:?where its files are to be} bridge=sbxlab0 incusd=/usr/libexec/incus/incusd
export LXC_TEMPLATE_CONFIG=/usr/share/lxc/config
at() { k=$1; shift; INCUS_DIR=$home/$k incus "$@"; }
link() {
  ip link add "sbxlab$1v" type veth peer name eth0 netns "sbxlab$1"
  ip link set "sbxlab$1v" master "$bridge" up
  ip -n "sbxlab$1" addr add "10.89.0.$1/24" dev eth0
  ip -n "sbxlab$1" link set eth0 up
  ip -n "sbxlab$1" link set lo up
  ip -n "sbxlab$1" route add default via 10.89.0.254
}
end_machines() {
  pgrep -f "^\[lxc monitor\] $home/$1/containers " | while read -r monitor; do
    # The first process of a machine takes all others with it
    pkill -9 -P "$monitor" || true
    kill -9 "$monitor" 2>/dev/null || true
  done
}
start() {
  mkdir -p "$home/$1" "$home/cgroup"
  # In a new namespace /sys is mounted anew, without the cgroups that machines need
  mountpoint -q "$home/cgroup" || mount --rbind /sys/fs/cgroup "$home/cgroup"
  INCUS_DIR=$home/$1 setsid ip netns exec "sbxlab$1" unshare -m sh -c \
    "mount --rbind '$home/cgroup' /sys/fs/cgroup; echo \$\$ >'$home/$1.pid'; exec $incusd --group root" \
    >>"$home/$1.log" 2>&1 </dev/null &
  tries=0
  until at "$1" info >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { echo "member $1 does not answer: $home/$1.log" >&2; exit 1; }
    sleep 0.5
  done
}
case "${1:-}" in
  up)
    ip link add "$bridge" type bridge
    ip addr add 10.89.0.254/24 dev "$bridge"
    ip link set "$bridge" up
    # So that machines can install packages
    nft "add table ip $bridge; add chain ip $bridge out { type nat hook postrouting priority srcnat; }
      add rule ip $bridge out ip saddr 10.89.0.0/24 ip daddr != 10.89.0.0/24 masquerade"
    echo 1 >/proc/sys/net/ipv4/ip_forward
    for k in $(seq "$2"); do
      ip netns add "sbxlab$k"
      link "$k"
      start "$k"
    done
    printf 'config: {core.https_address: "10.89.0.1:8443"}\ncluster: {server_name: m1, enabled: true}\n' |
      at 1 admin init --preseed >&2
    for k in $(seq 2 "$2"); do
      token=$(at 1 cluster add "m$k" -q | tail -n 1)
      printf 'config: {core.https_address: "10.89.0.%s:8443"}\ncluster: {enabled: true, server_name: m%s, server_address: "10.89.0.%s:8443", cluster_token: %s}\n' \
        "$k" "$k" "$k" "$token" | at "$k" admin init --preseed >&2
    done
    echo "$home/1" ;;
  start) ip link set "sbxlab$2v" up; start "$2" ;;
  off)
    ip link set "sbxlab$2v" down
    kill -9 "$(cat "$home/$2.pid")"
    end_machines "$2"
    # What it had started beside itself: the network's DNS
    ip netns pids "sbxlab$2" | xargs -r kill -9 2>/dev/null || true ;;
  kill) kill -9 "$(cat "$home/$2.pid")" ;;
  cut) ip link set "sbxlab$2v" down ;;
  join) ip link set "sbxlab$2v" up ;;
  down)
    for pid in "$home"/*.pid; do
      [ -f "$pid" ] || continue
      k=$(basename "$pid" .pid)
      # A killed member leaves its machines running: they are in its namespace
      ip netns pids "sbxlab$k" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
      end_machines "$k"
    done
    sleep 1
    for pid in "$home"/*.pid; do
      [ -f "$pid" ] || continue
      k=$(basename "$pid" .pid)
      ip link del "sbxlab${k}v" 2>/dev/null || true
      ip netns del "sbxlab$k" 2>/dev/null || true
    done
    ip link del "$bridge" 2>/dev/null || true
    nft delete table ip "$bridge" 2>/dev/null || true
    if mountpoint -q "$home/cgroup"; then umount -Rl "$home/cgroup"; fi
    rm -rf "$home" ;;
  *) sed -n 2,10p "$0"; exit 2 ;;
esac
