# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The size of the machine.

# A container that is shown neither its own limit nor a meminfo of its own (lxcfs mounts one): Debian 11's
# systemd, on a host whose limits are in cgroup v1, mounts v2 alone. What meminfo says there is its host's
memory_hidden() {
    [ -e /sys/fs/cgroup/memory.max ] && return 1
    [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ] && return 1
    awk '$2 == "/proc/meminfo" { found = 1 } END { exit !found }' /proc/self/mounts && return 1
    have systemd-detect-virt && systemd-detect-virt -q -c
}

# memory_kb [LIMIT]: a container may see all of its host's memory in meminfo; what counts is the least that
# anything says
memory_kb() {
    {
        awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo
        for probe_file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
            [ -r "$probe_file" ] && kilobytes <"$probe_file"
        done
        [ -n "$1" ] && printf '%s\n' "$1" | kilobytes
    } 2>/dev/null | sort -n | head -n 1
}

kilobytes() {
    awk '/^[0-9]+$/ { printf "%.0f\n", $1 / 1024 }'
}

machine_at_once() {
    section machine
    # OMP_NUM_THREADS changes what nproc says
    printf 'cpus\t%s\n' "$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null \
        || getconf _NPROCESSORS_ONLN 2>/dev/null)"
    memory_hidden || printf 'memory-kb\t%s\n' "$(memory_kb '')"
    # What is mounted there may have blanks in its name
    df -Pk / 2>/dev/null | awk 'NR == 2 && $(NF - 4) ~ /^([0-9]+|-)$/ && $(NF - 2) ~ /^([0-9]+|-)$/ {
        print "disk-kb\t" $(NF - 4) "\t" $(NF - 2)
    }'
    # Of options with a value only those that say a size or a mode: others name shares and accounts
    awk '$2 == "/" || $2 == "/tmp" {
        count = split($4, option, ","); shown = ""
        for (i = 1; i <= count; i++)
            if (option[i] ~ /^[a-z_0-9]+$/ || option[i] ~ /^(size|mode|nr_inodes|errors|data|commit)=[a-z0-9]+$/)
                shown = shown (shown == "" ? "" : ",") option[i]
        print "mount\t" $2 "\t" shown
    }' /proc/self/mounts 2>/dev/null
}

NOT_ITS_LIMIT="this container is shown its host's memory, and not its own limit"

# The limit is in a hierarchy that nobody has mounted. Mounted here it is seen by this one process, and gone
# when that ends
machine_as_root() {
    memory_hidden || return
    probe_text=$(unshare -m --propagation private sh -c 'mount -t cgroup -o ro,memory none /sys/fs/cgroup &&
        cat /sys/fs/cgroup/memory.limit_in_bytes' 2>/dev/null)
    case $probe_text in
    '' | *[!0-9]*) unseen "memory" "$NOT_ITS_LIMIT" ;;
    *)
        section hidden-memory
        printf 'memory-kb\t%s\n' "$(memory_kb "$probe_text")"
        ;;
    esac
}

machine_hidden() {
    memory_hidden && unseen "memory" "$NOT_ITS_LIMIT; needs root: $1"
}
