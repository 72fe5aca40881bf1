# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The operating system.

os_at_once() {
    probe_os_release
    section uname "$(uname -r)" "$(uname -m)" "$(getconf GNU_LIBC_VERSION 2>/dev/null)" \
        "$(getenforce 2>/dev/null)"
    if have systemd-detect-virt; then
        section virtualization "$(systemd-detect-virt 2>/dev/null)"
    fi
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
