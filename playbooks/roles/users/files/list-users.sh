# list-users.sh MARK LOGIN: `ours NAME` for accounts with that comment, `other NAME` for people's accounts
# without it, `system NAME` for the rest and for LOGIN, the account that manages the machine.
set -eu
getent passwd | awk -F: -v mark="$1" -v login="$2" '
    $5 == mark { print "ours", $1; next }
    $1 != login && $3 >= 1000 && $3 < 60000 { print "other", $1; next }
    { print "system", $1 }'
