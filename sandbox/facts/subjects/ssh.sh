# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# How ssh lets people in.

# Only type and key, and the comment on a machine of our own: options and comments are nobody's business
public_keys() {
    LC_ALL=C awk -v user="$1" -v own="$OWN" '!/^[ \t]*#/ && length($0) < 20000 &&
        match($0, /(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]+|sk-[a-z0-9-]+@openssh.com)[ \t]+AAAA[A-Za-z0-9+\/]+=*([ \t].*)?$/) {
        found = substr($0, RSTART, RLENGTH)
        if (!own) { split(found, part, /[ \t]+/); found = part[1] " " part[2] }
        print user "\t" found
    }' "$2" 2>/dev/null
}

probe_sshd() {
    probe_sshd=$(command -v sshd || printf '/usr/sbin/sshd')
    [ -x "$probe_sshd" ] || return
    if probe_text=$("$probe_sshd" -T 2>&1); then
        section sshd
        # In another locale grep takes a text with one odd byte for no text
        printf '%s\n' "$probe_text" | LC_ALL=C grep -E -i '^(passwordauthentication|permitrootlogin|permitemptypasswords|kbdinteractiveauthentication|challengeresponseauthentication|port) [a-z0-9-]+$'
    else
        unseen "sshd settings" "sshd -T: $(printf '%s\n' "$probe_text" | head -n 1 | words)"
    fi
}

probe_authorized_keys() {
    probe_files=$(printf '%s\n' "$probe_text" | sed -n 's/^authorizedkeysfile //p')
    section authorized-keys
    getent passwd | while IFS=: read -r probe_user _ _ _ _ probe_home _; do
        for probe_file in ${probe_files:-.ssh/authorized_keys .ssh/authorized_keys2}; do
            case $probe_file in
            *%*) probe_file=$(printf '%s' "$probe_file" | sed "s|%u|$probe_user|g; s|%h|$probe_home|g") ;;
            esac
            case $probe_file in
            /*) ;;
            *) probe_file=$probe_home/$probe_file ;;
            esac
            [ -f "$probe_file" ] && public_keys "$probe_user" "$probe_file"
        done
    done
}

ssh_as_root() {
    probe_sshd
    probe_authorized_keys
}

ssh_hidden() {
    unseen "sshd settings" "needs root: $1"
    unseen "authorized keys of others" "needs root: $1"
}

ssh_without_root() {
    section authorized-keys
    for probe_file in "$HOME/.ssh/authorized_keys" "$HOME/.ssh/authorized_keys2"; do
        [ -f "$probe_file" ] && public_keys "$(id -un)" "$probe_file"
    done
}
