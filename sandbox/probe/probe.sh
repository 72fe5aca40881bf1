# shellcheck shell=sh
# shellcheck disable=SC2153,SC2094  # the assignments in front, listed below; files are only read
# What a machine is, told by itself: read-only, POSIX sh, as any user; more with root.
#
# It travels on the standard input of `sh -s`, behind these assignments (collect.py writes them):
#   B            the boundary: a random word that starts every line of ours
#   PROBE_R      the text of probe.R with its own assignments
#   PROBE_ROOT   this script again, for root
#   R_TIMEOUT    seconds that one R may take
#   TAKE         a program for awk that lets out what is known to be harmless (known/), and marks the rest
#   KEY          of the hashes that stand for what is not taken; empty for none
#   OWN          1 on a machine of our own, whose messages are shown; HIDE, for these, is a program for
#                sed that takes out what looks like a secret (redact.py)
# Behind it come probe_take.sh, probe_setup.sh and probe_r.sh. Nothing but functions stands in them; the last line that
# is sent calls one, so that a cut-off script does nothing at all.
#
# What it leaves behind: nothing. It writes no file; R makes a tempdir() of its own and removes it. su
# and sudo write their usual lines to the machine's authentication log.

# ---- framing -------------------------------------------------------------------------------------

section() {
    printf '\n%s\tsection' "$B"
    printf '\t%s' "$@"
    printf '\n'
}

unseen() {
    section not-seen
    printf '%s\t%s\n' "$1" "$2"
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# ---- what every user may see -----------------------------------------------------------------------

probe_system() {
    section run "$(id -un)" "$(id -u)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    section identity
    printf 'hostname\t%s\n' "$(uname -n)" | take pairs
    [ -r /etc/machine-id ] && sed -n 's/^[0-9a-f]*$/machine-id\t&/p' /etc/machine-id
    for probe_file in /etc/ssh/ssh_host_*_key.pub; do
        [ -r "$probe_file" ] && LC_ALL=C awk 'NF > 1 && length($0) < 20000 && $1 ~ /^[A-Za-z0-9@.-]+$/ && $2 ~ /^[!-~]+$/ {
            print "host-key\t" $1 " " $2
        }' "$probe_file"
    done
    probe_os_release
    section uname "$(uname -r)" "$(uname -m)" "$(getconf GNU_LIBC_VERSION 2>/dev/null)" \
        "$(getenforce 2>/dev/null)"
    if have systemd-detect-virt; then
        section virtualization "$(systemd-detect-virt 2>/dev/null)"
    fi
    for probe_file in /etc/default/locale /etc/locale.conf; do
        [ -e "$probe_file" ] && config_section locale-settings "$probe_file" env
    done
    if have locale; then
        section locales
        locale -a 2>/dev/null | take rows '' locale
    else
        unseen "available locales" "there is no locale command"
    fi
    probe_timezone
    probe_machine
}

# As a text of lines, whatever wrote it: the four that are asked for, and which of them say something else
probe_os_release() {
    probe_text=$(LC_ALL=C tr -d '\000\r' </etc/os-release 2>/dev/null | LC_ALL=C awk -v mark="$(printf '\357\273\277')" '
        NR == 1 && index($0, mark) == 1 { $0 = substr($0, length(mark) + 1) }
        /^(ID|VERSION_ID|VERSION_CODENAME|PRETTY_NAME)=/ {
            name = $0
            sub(/=.*/, "", name)
            known = length($0) < 200 && $0 ~ /^[A-Z_]+="?[A-Za-z0-9 ._()\/+-]*"?$/
            # The last one counts
            said[name] = known ? $0 : "\t" name
        }
        END {
            if (!("ID" in said)) said["ID"] = "\tID"
            for (name in said) print said[name]
            if (said["ID"] == "\tID") print "ID="
        }')
    section os-release
    [ -e /etc/os-release ] || return
    printf '%s\n' "$probe_text" | grep -v '	'
    printf '%s\n' "$probe_text" | sed -n 's/^	//p' | while read -r probe_row; do
        unseen "$probe_row in /etc/os-release" "it is missing, or not as os-release(5) has it"
    done
}

probe_timezone() {
    section localtime
    {
        if [ -L /etc/localtime ]; then
            printf 'target\t%s\n' "$(readlink /etc/localtime)"
            printf 'resolved\t%s\n' "$(readlink -f /etc/localtime)"
        fi
        [ -r /etc/timezone ] && printf 'etc-timezone\t%s\n' "$(head -n 1 /etc/timezone)"
    } | take pairs
}

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

probe_machine() {
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

probe_services() {
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

probe_users() {
    section passwd
    { getent passwd 2>/dev/null || cat /etc/passwd; } | take passwd passwd
    section group
    { getent group 2>/dev/null || cat /etc/group; } | take passwd group
}

# Only type and key, and the comment on a machine of our own: options and comments are nobody's business
public_keys() {
    LC_ALL=C awk -v user="$1" -v own="$OWN" '!/^[ \t]*#/ && length($0) < 20000 &&
        match($0, /(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]+|sk-[a-z0-9-]+@openssh.com)[ \t]+AAAA[A-Za-z0-9+\/]+=*([ \t].*)?$/) {
        found = substr($0, RSTART, RLENGTH)
        if (!own) { split(found, part, /[ \t]+/); found = part[1] " " part[2] }
        print user "\t" found
    }' "$2" 2>/dev/null
}

probe_shiny_config() {
    for probe_file in /etc/shiny-server/shiny-server.conf /opt/shiny-server/config/default.config \
        /usr/lib/shiny-server/config/default.config; do
        if [ -e "$probe_file" ]; then
            probe_home=/usr/lib/shiny-server
            [ -d /opt/shiny-server ] && probe_home=/opt/shiny-server
            section shiny-server "$probe_file" "$(one path "$(readlink -f "$probe_file")")" \
                "$(LC_ALL=C sed -n '1s/[^0-9.].*//p' "$probe_home/VERSION" 2>/dev/null | cut -c 1-40)"
            take_file "$probe_file" shiny
            return
        fi
    done
}

# ---- what only root may see ----------------------------------------------------------------------------

NOT_ITS_LIMIT="this container is shown its host's memory, and not its own limit"

# The limit is in a hierarchy that nobody has mounted. Mounted here it is seen by this one process, and gone
# when that ends
probe_hidden_memory() {
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

probe_accounts() {
    if [ -r /etc/shadow ]; then
        section shadow
        # The state alone: no hash leaves the machine
        awk -F : '{
            state = "set"
            if ($2 == "") state = "empty"
            else if ($2 ~ /^[!*]/) state = "locked"
            print $1 "\t" state
        }' /etc/shadow | take rows '' account,state
    else
        unseen "passwords" "there is no /etc/shadow"
    fi
    if have sudo; then
        section sudo
        awk -F : '$3 >= 1000 && $3 < 60000 || $1 == "shiny" || $1 ~ /^rstudio/ { print $1 }' /etc/passwd |
            head -n 50 | while read -r probe_user; do
            if LC_ALL=C sudo -n -l -U "$probe_user" 2>/dev/null | grep -q 'may run the following'; then
                printf '%s\tyes\n' "$probe_user"
            else
                printf '%s\tno\n' "$probe_user"
            fi
        done | take rows '' account,state
    fi
}

probe_sshd() {
    probe_sshd=$(command -v sshd || printf '/usr/sbin/sshd')
    [ -x "$probe_sshd" ] || return
    if probe_text=$("$probe_sshd" -T 2>&1); then
        section sshd
        # In another locale grep takes a text with one odd byte for no text
        printf '%s\n' "$probe_text" | LC_ALL=C grep -E -i '^(passwordauthentication|permitrootlogin|permitemptypasswords|kbdinteractiveauthentication|challengeresponseauthentication|port) [a-z0-9-]+$'
    else
        unseen "sshd settings" "sshd -T: $(printf '%s\n' "$probe_text" | head -n 1 | words)"
    fi
}

probe_authorized_keys() {
    probe_files=$(printf '%s\n' "$probe_text" | sed -n 's/^authorizedkeysfile //p')
    section authorized-keys
    getent passwd | while IFS=: read -r probe_user _ _ _ _ probe_home _; do
        for probe_file in ${probe_files:-.ssh/authorized_keys .ssh/authorized_keys2}; do
            case $probe_file in
            *%*) probe_file=$(printf '%s' "$probe_file" | sed "s|%u|$probe_user|g; s|%h|$probe_home|g") ;;
            esac
            case $probe_file in
            /*) ;;
            *) probe_file=$probe_home/$probe_file ;;
            esac
            [ -f "$probe_file" ] && public_keys "$probe_user" "$probe_file"
        done
    done
}

# ---- the order -------------------------------------------------------------------------------------------

has_shiny_server() {
    [ -d /usr/lib/shiny-server ] || [ -d /opt/shiny-server ]
}

has_rstudio() {
    [ -d /usr/lib/rstudio-server ]
}

# probe_as_root LOADS
probe_as_root() {
    prepare_hashes
    section root
    probe_hidden_memory
    probe_ports
    probe_accounts
    probe_sshd
    probe_authorized_keys
    probe_user_libraries
    probe_configs
    if has_shiny_server; then
        probe_r_shiny "$1"
    fi
    probe_r_rstudio
    section root-end
}

probe_without_root() {
    memory_hidden && unseen "memory" "$NOT_ITS_LIMIT; needs root: $1"
    unseen "passwords, sudo rights" "needs root: $1"
    unseen "sshd settings" "needs root: $1"
    unseen "authorized keys of others" "needs root: $1"
    has_shiny_server && unseen "R inside a Shiny app" "needs root: $1"
    has_rstudio && unseen "R inside an RStudio session" "needs root: $1"
    probe_ports
    unseen "processes of others' listening ports" "needs root: $1"
    section authorized-keys
    for probe_file in "$HOME/.ssh/authorized_keys" "$HOME/.ssh/authorized_keys2"; do
        [ -f "$probe_file" ] && public_keys "$(id -un)" "$probe_file"
    done
    probe_user_libraries
    probe_configs
}

# Some may run this and that by sudo, but no shell; of others all that a shell starts is refused (noexec)
may_become_root() {
    have sudo && [ "$(printf 'id -u\n' | sudo -n sh -s 2>/dev/null)" = 0 ]
}

why_no_root() {
    if ! have sudo; then
        printf 'there is no sudo\n'
    elif sudo -n -l >/dev/null 2>&1; then
        printf 'sudo allows this login some commands, but no shell\n'
    else
        printf 'sudo asks for a password\n'
    fi
}

# probe_everything LOADS USE_SUDO: everything
probe_everything() {
    # A zsh that is called sh is POSIX by itself; one under its own name is not
    [ -n "${ZSH_VERSION:-}" ] && emulate sh
    prepare_hashes
    renice -n 10 -p $$ >/dev/null 2>&1
    probe_root=
    probe_no_root="sudo was not to be used"
    if [ "$(id -u)" -eq 0 ]; then
        probe_root=self
    elif [ "$2" = sudo ]; then
        if may_become_root; then probe_root=sudo; else probe_no_root=$(why_no_root); fi
    fi
    probe_system
    probe_services
    probe_users
    probe_shiny_config
    probe_login_loads=$1
    # What an app can load is what counts
    [ -n "$probe_root" ] && has_shiny_server && probe_login_loads=
    # R takes most of the time: a login's and an app's at once, what is done beside them held back.
    # An app's takes longer, for it loads packages
    probe_more=
    if [ -n "$probe_root" ]; then
        {
            probe_r_login "$probe_login_loads"
            probe_setup
        } &
    else
        probe_r_login "$probe_login_loads" &
        probe_more=$(probe_setup)
    fi
    probe_held=
    case $probe_root in
    self) probe_held=$(probe_as_root "$1" 2>/dev/null) ;;
    sudo) probe_held=$(printf '%s\n' "$PROBE_ROOT" | sudo -n sh -s 2>/dev/null) ;;
    esac
    wait
    # It may end before it begins, whatever was seen of sudo before
    case $probe_root.$probe_held in
    .* | *"${B}	section	root"*) ;;
    *) probe_root='' probe_held='' probe_no_root="what was to run as root did not begin" ;;
    esac
    printf '%s\n' "$probe_more" "$probe_held"
    [ -n "$probe_root" ] || probe_without_root "$probe_no_root"
    section end
}
