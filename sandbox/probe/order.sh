# shellcheck shell=sh
# shellcheck disable=SC2153,SC2094  # the assignments in front, listed below; files are only read
# The probe: a machine reports its own facts. Read-only, POSIX sh, as any user; more with root.
#
# It travels on the standard input of `sh -s`, behind these assignments (script.py writes them):
#   B            the boundary: a random word that starts every line of ours
#   PROBE_R      the text of probe.R with its own assignments
#   PROBE_ROOT   this script again, for root
#   R_TIMEOUT    seconds that one R may take
#   TAKE         a program for awk that passes values known to be harmless (known/), and marks the rest
#   KEY          the key of the hashes that replace values which are not taken; empty for no hashes
#   OWN          1 on a machine of our own: its messages are shown; HIDE, for these, is a program for
#                sed that removes what looks like a secret (redact.py)
#   AT_APP       1 to print `probe-app-read` to stderr when nothing more is read of a running Shiny Server
# After it come take.sh, and the shell of each subject of the facts (facts/subjects/*.sh). They hold only
# functions; the last line that is sent calls one, so that a cut-off script does nothing at all.
#
# A function of a subject runs in its phase, by its name (script.py writes each_at_once and so on):
#   SUBJECT_at_once       first, as the login
#   SUBJECT_beside_r      while R runs: for work that takes long
#   SUBJECT_as_root       where that is possible
#   SUBJECT_r_as_root     after that: R as other users see it. $1: packages to load
#   SUBJECT_hidden        without root: what is not seen then. $1: why there is no root
#   SUBJECT_without_root  without root: what is seen all the same. $1: why there is no root
#
# It leaves nothing behind. It writes no file; R makes its own tempdir() and removes it. su
# and sudo write their usual lines to the machine's authentication log.

# ---- framing -------------------------------------------------------------------------------------

section() {
    printf '\n%s\tsection' "$B"
    printf '\t%s' "$@"
    printf '\n'
}

unseen() {
    section not-seen
    printf '%s\t%s\n' "$1" "$2"
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# A program that hangs costs seconds, not the answer
briefly() {
    if have timeout; then
        timeout -k 1 5 "$@" </dev/null 2>&1
    else
        "$@" </dev/null 2>&1
    fi
}

# Runs at a low priority and, where there is timeout(1), not for ever
limited() {
    if have timeout; then
        timeout -k 2 "$R_TIMEOUT" "$@"
    else
        "$@"
    fi
}

# ---- the order -------------------------------------------------------------------------------------------

# probe_as_root LOADS
probe_as_root() {
    # The results are held back: worker_view tells by this way how far it is
    exec 4>&2 2>/dev/null
    prepare_hashes
    section root
    each_as_root
    each_r_as_root "$1"
    section root-end
}

probe_without_root() {
    each_hidden "$1"
    each_without_root "$1"
}

# Some users may run single commands by sudo, but no shell; for others a shell's commands are refused (noexec)
may_become_root() {
    have sudo && [ "$(printf 'id -u\n' | sudo -n sh -s 2>/dev/null)" = 0 ]
}

why_no_root() {
    if ! have sudo; then
        printf 'there is no sudo\n'
    elif sudo -n -l >/dev/null 2>&1; then
        printf 'sudo allows this login some commands, but no shell\n'
    else
        printf 'sudo asks for a password\n'
    fi
}

# probe_everything LOADS USE_SUDO: everything
probe_everything() {
    # A zsh that is called sh acts as POSIX sh; a zsh under its own name does not
    [ -n "${ZSH_VERSION:-}" ] && emulate sh
    prepare_hashes
    renice -n 10 -p $$ >/dev/null 2>&1
    probe_root=
    probe_no_root="sudo was not to be used"
    if [ "$(id -u)" -eq 0 ]; then
        probe_root=self
    elif [ "$2" = sudo ]; then
        if may_become_root; then probe_root=sudo; else probe_no_root=$(why_no_root); fi
    fi
    section run "$(id -un)" "$(id -u)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    each_at_once
    # R takes most of the time: a login's and an app's run at once, and the other work keeps its results back.
    # An app's R takes longer, because it loads packages
    probe_more=
    if [ -n "$probe_root" ]; then
        {
            probe_r_login "$1"
            each_beside_r
        } &
    else
        probe_r_login "$1" &
        probe_more=$(each_beside_r)
    fi
    probe_held=
    case $probe_root in
    self) probe_held=$(probe_as_root "$1") ;;
    sudo)
        # sudo's own words only where somebody waits for those of worker_view
        if [ "${AT_APP:-}" = 1 ]; then exec 5>&2; else exec 5>/dev/null; fi
        probe_held=$(printf 'AT_APP=%s\n%s\n' "${AT_APP:-}" "$PROBE_ROOT" | sudo -n sh -s 2>&5)
        ;;
    esac
    wait
    # The script for root may end before it begins, although sudo worked before
    case $probe_root.$probe_held in
    .* | *"${B}	section	root"*) ;;
    *) probe_root='' probe_held='' probe_no_root="what was to run as root did not begin" ;;
    esac
    printf '%s\n' "$probe_more" "$probe_held"
    [ -n "$probe_root" ] || probe_without_root "$probe_no_root"
    section end
}
