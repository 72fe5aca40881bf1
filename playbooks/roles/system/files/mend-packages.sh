# mend-packages.sh: restores files of Debian packages that are gone or changed; prints which packages.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# `??5??????   /file` and `missing     /file`. Lines with a `c` are configuration: somebody may have
# changed or removed that file on purpose
broken=$(dpkg --verify 2>/dev/null | awk '$1 == "missing" || $1 ~ /5/ {
    if ($2 != "c") { sub(/^[^\/]*/, ""); print }
}' || true)
if [ -z "$broken" ]; then
    exit 0
fi
# `name:architecture, name: /file`; a diversion is not a package
packages=$(printf '%s\n' "$broken" | while read -r file; do
    dpkg-query -S "$file" 2>/dev/null | grep -v '^diversion by' | sed 's/: \/.*//; s/,//g' | tr ' ' '\n'
done | sort -u)
if [ -z "$packages" ]; then
    exit 0
fi
# shellcheck disable=SC2086  # names, one word each
apt-get -q -y --no-install-recommends --reinstall -o DPkg::Lock::Timeout=120 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install $packages >&2
printf '%s\n' "$packages"
