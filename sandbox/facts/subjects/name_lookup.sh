# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# How names of machines are found: the table in /etc/hosts, and who is asked for the others.

name_lookup_beside_r() {
    if [ -r /etc/hosts ]; then
        section hosts
        # A machine's own name is another one on each
        LC_ALL=C awk -v own="$(uname -n)" '
            BEGIN { short = own; sub(/[.].*/, "", short) }
            { sub(/#.*/, "") }
            NF > 1 { for (i = 2; i <= NF; i++) if ($i != own && $i != short && index($i, short ".") != 1) print $i "\t" $1 }
        ' /etc/hosts | sort -u | take rows '' host_name,host_address
    fi
    section resolver
    {
        [ -r /etc/resolv.conf ] && LC_ALL=C awk '
            /^[#;]/ { next }
            $1 ~ /^(nameserver|search|domain|options)$/ { for (i = 2; i <= NF; i++) print $1 "\t" $i }
        ' /etc/resolv.conf
        [ -r /etc/nsswitch.conf ] && LC_ALL=C awk '
            $1 == "hosts:" { $1 = ""; sub(/^ */, ""); sub(/ *#.*/, ""); print "lookup\t" $0 }
        ' /etc/nsswitch.conf
    } | take rows '' resolver,resolver_value
}
