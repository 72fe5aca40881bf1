# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The packages of the system.

packages_beside_r() {
    if have dpkg-query; then
        section dpkg
        # shellcheck disable=SC2016  # dpkg-query's own fields
        dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Version}\t${Priority}\n' 2>/dev/null | take dpkg
        if [ -r /var/lib/apt/extended_states ]; then
            section apt-auto
            LC_ALL=C awk '$1 == "Package:" { name = $2 }
                $1 == "Auto-Installed:" && $2 == 1 && name ~ /^[A-Za-z0-9+._~-]+$/ { print name }' \
                /var/lib/apt/extended_states
        fi
    elif have rpm; then
        section rpm
        rpm -qa --qf '%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n' 2>/dev/null | take rpm
    else
        unseen "system packages" "there is no dpkg-query and no rpm"
    fi
}
