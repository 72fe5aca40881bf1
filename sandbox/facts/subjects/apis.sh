# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# APIs of plumber that systemd runs.

apis_beside_r() {
    [ -d /run/systemd/system ] || return
    section apis
    api_units /etc/systemd/system/*.service /usr/lib/systemd/system/*.service | head -n 100 | while IFS= read -r probe_file; do
        api_of "$probe_file"
    done | take rows '' unit,account,path,api_file,api_port
}

# The files of units that run an API. One grep for all of them: there are hundreds
api_units() (
    for probe_file; do
        shift
        # To read what is no file could be to wait for ever
        [ -f "$probe_file" ] && [ -r "$probe_file" ] && set -- "$@" "$probe_file"
    done
    [ $# -eq 0 ] || LC_ALL=C grep -li '^ExecStart=.*\(plumb\|run-api[.]R\)' "$@" 2>/dev/null
)

# The unit, its account, its folder, the file of the API and its port, as far as its lines say them
api_of() {
    LC_ALL=C awk -v unit="${1##*/}" '
        /^User=/ { user = substr($0, 6) }
        /^WorkingDirectory=\// { folder = substr($0, 18) }
        /^ExecStart=/ {
            line = $0
            if (match(line, /port[ \t]*=[ \t]*[0-9]+/)) port = substr(line, RSTART, RLENGTH)
            else if (match(line, /[ \t][0-9][0-9]+([ \t]|$)/)) port = substr(line, RSTART, RLENGTH)
            gsub(/[^0-9]/, "", port)
            sub(/.*run-api[.]R/, "", line)
            gsub(/[\047"(),]/, " ", line)
            n = split(line, word, /[ \t]+/)
            for (i = 1; i <= n; i++) if (word[i] ~ /[.][Rr]$/) file = word[i]
        }
        END { print unit "\t" user "\t" folder "\t" file "\t" port }' "$1"
}
