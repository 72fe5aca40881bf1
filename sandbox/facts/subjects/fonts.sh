# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The fonts.

# Their files: to ask fontconfig could make it write its cache
fonts_beside_r() {
    [ -d /usr/share/fonts ] || [ -d /usr/local/share/fonts ] || return
    section fonts
    find /usr/share/fonts /usr/local/share/fonts -type f 2>/dev/null |
        sed -n 's,.*/\([^/]*\.\([ot]t[fc]\|pf[ab]\|t1\)\)$,\1,p' | sort -u | take rows '' font
}
