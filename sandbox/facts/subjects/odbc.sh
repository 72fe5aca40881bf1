# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The drivers that unixODBC knows.

odbc_beside_r() {
    for probe_file in "${ODBCSYSINI:-/etc}/odbcinst.ini" /etc/odbcinst.ini /etc/unixODBC/odbcinst.ini; do
        if [ -r "$probe_file" ]; then
            section odbcinst "$probe_file"
            take_file "$probe_file" ini odbc
            section odbc-libraries
            sed -n 's/^[[:space:]]*[Dd]river[[:space:]]*=[[:space:]]*//p' "$probe_file" |
                while read -r probe_path; do
                    [ -e "$probe_path" ] && printf '%s\n' "$probe_path"
                done | take rows '' path
            return
        fi
    done
}
