# choose-blas.sh reference|openblas: points libblas.so.3 and liblapack.so.3 there; prints `changed` if it did.
set -eu
wanted=$1
for library in blas lapack; do
    link=$(update-alternatives --get-selections | awk -v start="lib$library.so.3" \
        'index($1, start) == 1 { print $1; exit }')
    candidates=$(update-alternatives --list "$link" 2>/dev/null || true)
    case $wanted in
    reference) chosen=$(printf '%s\n' "$candidates" | grep "/$library/lib$library" | head -n 1) ;;
    *) chosen=$(printf '%s\n' "$candidates" | grep "/$wanted" | head -n 1) ;;
    esac
    if [ -z "$chosen" ]; then
        echo "there is no $wanted $library on this machine, only: ${candidates:-none}" >&2
        exit 1
    fi
    if [ "$(readlink "/etc/alternatives/$link")" != "$chosen" ]; then
        update-alternatives --set "$link" "$chosen" >&2
        echo changed
    fi
done
