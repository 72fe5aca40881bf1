# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# R packages in people's own libraries; more of them with root.

# R packages in people's own libraries
probe_user_libraries() {
    section user-libraries
    { getent passwd 2>/dev/null || cat /etc/passwd; } | while IFS=: read -r probe_user _ _ _ _ probe_home _; do
        # System accounts share folders such as / and /usr/sbin
        case $probe_home in
        '' | / | /bin | /dev* | /usr/*) continue ;;
        esac
        for probe_dir in "$probe_home"/R/*library/[0-9]*; do
            [ -d "$probe_dir" ] || continue
            set --
            for probe_file in "$probe_dir"/*/DESCRIPTION; do
                [ -f "$probe_file" ] && [ -r "$probe_file" ] && set -- "$@" "$probe_file"
            done
            [ $# -gt 0 ] && LC_ALL=C USER_OF="$probe_user" FOLDER="$probe_dir" awk '
                # What has not both is a row of one field, which take counts as odd
                function told() {
                    if (name == "" || version == "") print "odd"
                    else print ENVIRON["USER_OF"] "\t" name "\t" version "\t" ENVIRON["FOLDER"]
                }
                FNR == 1 { if (NR > 1) told(); name = version = "" }
                { sub(/\r$/, "") }
                $1 == "Package:" && name == "" { name = $2 }
                $1 == "Version:" && version == "" { version = $2 }
                END { if (NR) told() }' "$@" 2>/dev/null
        done
    done | take rows '' account,package,version,path
}

user_libraries_as_root() {
    probe_user_libraries
}

user_libraries_without_root() {
    probe_user_libraries
}
