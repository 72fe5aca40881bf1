# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# Packages that an upgrade leaves alone, and why.

held_beside_r() {
    have dpkg-query || return
    section held
    {
        # shellcheck disable=SC2016  # dpkg-query's own fields
        dpkg-query -W -f='${db:Status-Want}\t${Package}\n' 2>/dev/null |
            LC_ALL=C awk '{ print $2 "\tinstalled" } $1 == "hold" { print $2 "\thold" }'
        for probe_file in /etc/apt/preferences /etc/apt/preferences.d/*; do
            [ -r "$probe_file" ] && pins_of "$probe_file"
        done
    } | take held
}

# One line for each package of a paragraph: its name, what it is pinned to, and the priority
pins_of() {
    LC_ALL=C awk '
        function told(    n, i, one) {
            n = split(packages, one, /[ \t]+/)
            for (i = 1; i <= n; i++) if (one[i] != "") print (one[i] == "*" ? "all-packages" : one[i]) "\t" pin " priority " priority
            packages = pin = priority = ""
        }
        function rest(line) { sub(/^[^:]*:[ \t]*/, "", line); sub(/[ \t\r]+$/, "", line); return line }
        /^[ \t\r]*$/ { told(); next }
        tolower($0) ~ /^package:/ { packages = rest($0) }
        tolower($0) ~ /^pin:/ { pin = rest($0) }
        tolower($0) ~ /^pin-priority:/ { priority = rest($0) }
        END { told() }' "$1"
}
