# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# What OpenSSL's own configuration asks of a connection.

openssl_beside_r() {
    have openssl || return
    probe_dir=$(openssl version -d 2>/dev/null | sed -n 's/^OPENSSLDIR: "\(.*\)"$/\1/p')
    probe_file=${OPENSSL_CONF:-${probe_dir:-/etc/ssl}/openssl.cnf}
    [ -r "$probe_file" ] || return
    section openssl
    # The last one counts
    LC_ALL=C sed -n \
        's/^[[:space:]]*\(MinProtocol\|MaxProtocol\|CipherString\|Ciphersuites\)[[:space:]]*=[[:space:]]*\([^#]*\).*/\1	\2/p' \
        "$probe_file" | sed 's/[[:space:]]*$//' | awk -F '\t' '{ last[$1] = $2 }
            END { for (key in last) print key "\t" last[key] }' | sort | take pairs
}
