# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# What nginx hands on to other servers.

fronts_beside_r() {
    [ -d /etc/nginx ] || return
    section fronts
    for probe_file in /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/*; do
        if [ -f "$probe_file" ] && [ -r "$probe_file" ]; then
            fronts_of "$probe_file"
        fi
    done | head -n 1000 | take rows '' path,front,front_value
}

# The statements that say what is handed on, one a line: the file, the word, what follows it
fronts_of() {
    LC_ALL=C awk -v file="$1" '
        { sub(/(^|[ \t])#.*/, ""); gsub(/[;{}]/, " & "); text = text " " $0 }
        END {
            n = split(text, word, /[ \t\r]+/)
            first = 1
            for (i = 1; i <= n; i++) {
                if (first && word[i] == "server" && word[i + 1] == "{") print file "\tserver\t"
                if (first && word[i] == "listen") print file "\tlisten\t" word[i + 1]
                if (first && word[i] == "location") {
                    # One that is an expression is not for a box
                    at = word[i + 1] ~ /^(=|\^~)$/ ? i + 2 : i + 1
                    print file "\tlocation\t" (word[at] ~ /^~/ ? "" : word[at])
                }
                if (first && word[i] == "proxy_pass") print file "\tproxy\t" word[i + 1]
                first = word[i] ~ /^[;{}]?$/
            }
        }' "$1"
}
