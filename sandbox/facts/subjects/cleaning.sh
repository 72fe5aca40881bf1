# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# What removes old files from the folders for temporary ones.

cleaning_beside_r() {
    section cleaning
    {
        if have systemd-tmpfiles; then
            systemd-tmpfiles --cat-config 2>/dev/null | LC_ALL=C awk '
                $1 ~ /^[dDeqQvV]/ && ($2 == "/tmp" || $2 == "/var/tmp") {
                    print "tmpfiles " $2 "\t" ($6 == "" || $6 == "-" ? "never" : $6) }'
        fi
        if [ -d /run/systemd/system ]; then
            # Of all unit files systemd would work out the state, which takes it a third of a second
            systemctl list-unit-files --no-legend --no-pager --type=timer '*clean*' '*tmp*' 2>/dev/null |
                awk '$1 ~ /(clean|tmp)/ { print $1 "\t" $2 }'
        fi
        for probe_file in /etc/cron.daily/tmpreaper /etc/cron.daily/tmpwatch; do
            [ -e "$probe_file" ] && printf '%s\tdaily\n' "${probe_file##*/}"
        done
    } | take rows '' cleaner,cleans
}
