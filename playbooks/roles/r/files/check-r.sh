# check-r.sh [PROGRAM EXPECTED]...: prints the folder of each R's site files. Fails when its version is not the
# expected one, nor begins with it.
set -eu
while [ $# -gt 0 ]; do
    program=$1 expected=$2
    shift 2
    found=$("$program" --version | sed -n '1s/^R version \([0-9.]*\) .*/\1/p')
    if [ -n "$expected" ] && [ "${found#"$expected".}" = "$found" ] && [ "$found" != "$expected" ]; then
        echo "$program is R ${found:-of no version} on this machine, and the plan says $expected" >&2
        exit 1
    fi
    etc=$("$program" RHOME)/etc
    # Debian's R has its site files elsewhere, and links to them: a link would be replaced by a file
    if [ -L "$etc/Renviron.site" ]; then etc=$(dirname "$(readlink -f "$etc/Renviron.site")"); fi
    printf '%s\n' "$etc"
done
