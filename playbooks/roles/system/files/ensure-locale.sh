# ensure-locale.sh LOCALE: generates it when the C library does not have it, and prints `generated`.
set -eu
wanted=$1

exists() {
    # `locale` prints "Cannot set ..." on stderr for a missing locale, but still exits 0
    [ -z "$(LC_ALL=$wanted locale 2>&1 >/dev/null)" ]
}

if exists; then
    exit 0
fi
if [ ! -r /usr/share/i18n/SUPPORTED ]; then
    echo "cannot generate the locale $wanted: the package locales is not installed" >&2
    exit 1
fi
line=$(awk -v wanted="$wanted" '$1 == wanted { print; exit }' /usr/share/i18n/SUPPORTED)
if [ -z "$line" ]; then
    echo "Debian has no locale $wanted: /usr/share/i18n/SUPPORTED lists those it has" >&2
    exit 1
fi
if ! grep -qxF -- "$line" /etc/locale.gen; then
    printf '%s\n' "$line" >>/etc/locale.gen
fi
locale-gen >&2
if ! exists; then
    echo "locale-gen ran, and still there is no locale $wanted" >&2
    exit 1
fi
echo generated
