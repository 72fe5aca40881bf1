# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# Accounts, groups, the state of passwords, and who may become root.

accounts_at_once() {
    section passwd
    { getent passwd 2>/dev/null || cat /etc/passwd; } | take passwd passwd
    section group
    { getent group 2>/dev/null || cat /etc/group; } | take passwd group
}

accounts_as_root() {
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

accounts_hidden() {
    unseen "passwords, sudo rights" "needs root: $1"
}
