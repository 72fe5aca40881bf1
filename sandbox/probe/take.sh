# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154  # variables that stand in front, see probe.sh
# What may leave this machine: text goes through awk, and marked values through a hash.

MARK=$(printf '\001')
WITHIN=$(printf '\002')

# Whether hashes can be made here; a printf that is a program would show its arguments to everybody
prepare_hashes() {
    HASHES=
    case $KEY.$(command -v printf) in
    .* | */*) return ;;
    esac
    have openssl && have sha256sum && hash_of test && [ -n "$probe_hash" ] && HASHES=1
}

hash_of() {
    probe_hash=$(printf '%s' "$1" | sha256sum)
    probe_hash=$(printf '%s%s\n' "$KEY" "${probe_hash%% *}" | LC_ALL=C openssl enc -aes-256-cbc -pbkdf2 \
        -iter 20000 -md sha256 -S 73616e64626f7831 -pass stdin -P 2>/dev/null)
    case $probe_hash in
    *key=*)
        probe_hash=${probe_hash#*key=}
        probe_hash=$(printf '%.16s' "$probe_hash")
        ;;
    *) probe_hash= ;;
    esac
}

# Marked values become placeholders: their rough length, and a hash. Each value is hashed once, and
# only as many as can be done in seconds. Values go only through pipes: everybody can see a command line
placeholders() {
    case $1 in
    *"$MARK"*) ;;
    '') return ;;
    *)
        printf '%s\n' "$1"
        return
        ;;
    esac
    {
        [ -n "$HASHES" ] && printf '%s\n' "$1" | LC_ALL=C awk -v most=100 'BEGIN { FS = "\001" } {
            for (i = 2; i <= NF; i += 2) {
                value = substr($i, index($i, "\002") + 1)
                if (!(value in seen) && count < most) { seen[value] = 1; count++; print value }
            }
        }' | while IFS= read -r probe_row; do
            hash_of "$probe_row"
            printf '%s\t%s\n' "$probe_hash" "$probe_row"
        done
        printf '%s\n%s\n' "$MARK" "$1"
    } | LC_ALL=C awk 'BEGIN { FS = "\001" }
        !began && $0 == "\001" { began = 1; next }
        !began { at = index($0, "\t"); hash[substr($0, at + 1)] = substr($0, 1, at - 1); next }
        {
            line = $1
            for (i = 2; i <= NF; i += 2) {
                at = index($i, "\002")
                value = substr($i, at + 1)
                line = line "<not taken: " substr($i, 1, at - 1) " characters"
                line = line (hash[value] == "" ? "" : ", #" hash[value]) ">" $(i + 1)
            }
            print line
        }'
}

# take MODE [KIND [NAMES]]: the part of a text that may leave this machine. Without a working awk: nothing
take() {
    probe_took=$(LC_ALL=C awk -v MODE="$1" -v KIND="${2:-}" -v NAME="${3:-}" -v PLACE="$probe_place" -v B="$B" \
        -v OWN="$OWN" "$TAKE" 2>/dev/null)
    # The last line proves that everything was looked at
    case $probe_took in
    "$MARK$WITHIN") ;;
    *"
$MARK$WITHIN") placeholders "${probe_took%"
$MARK$WITHIN"}" ;;
    *) unseen "a part of the answer" "this awk could not look at it" ;;
    esac
}

# take_file FILE MODE [KIND]: the same for a file, which the user may have asked for as a whole
probe_place=
take_file() {
    probe_place=$1
    shift
    take "$@" <"$probe_place"
    probe_place=
}

# one NAME VALUE: one value
one() {
    printf '%s' "$2" | tr '\t\n' '??' | take rows '' "$1"
}

# Messages: on a machine of our own all but what looks like a secret, elsewhere only known words
words() {
    if [ "$OWN" = 1 ]; then
        LC_ALL=C sed -E "$HIDE" 2>/dev/null
    else
        take words
    fi
}

# config_section SECTION FILE MODE [KIND]: a file's settings, if it can be read
config_section() {
    if [ "$(printf '%s' "$2" | LC_ALL=C tr -d '\000-\037\177-\377')" != "$2" ]; then
        unseen "a file in ${2%/*}" "its name is no plain text"
    elif [ -r "$2" ] && [ -f "$2" ]; then
        section "$1" "$2"
        take_file "$2" "$3" "${4:-}"
    elif [ -e "$2" ] && ! [ -d "$2" ]; then
        unseen "$2" "not readable without root"
    fi
}
