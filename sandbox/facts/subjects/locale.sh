# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The locale that logins are given, and those that there are.

locale_at_once() {
    for probe_file in /etc/default/locale /etc/locale.conf; do
        [ -e "$probe_file" ] && config_section locale-settings "$probe_file" env
    done
    if have locale; then
        section locales
        locale -a 2>/dev/null | take rows '' locale
    else
        unseen "available locales" "there is no locale command"
    fi
}
