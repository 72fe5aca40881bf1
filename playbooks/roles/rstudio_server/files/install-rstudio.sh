# install-rstudio.sh DEB VERSION: installs the package without letting its server start; prints `changed` when it
# has installed something.
#
# The package starts its server on all addresses while it is installed, and its own end says nothing of that: the
# unit is masked meanwhile, and only its state counts. What the server makes for itself at its first start (keys,
# the file of who is signed in) is removed, should the package have made it.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
version=$2
deb=$(printf '%s' "$1" | sed "s/@ARCH@/$(dpkg --print-architecture)/")

# installed_version: empty when it is not whole
installed_version() {
    dpkg-query -W -f '${db:Status-Status} ${Version}' rstudio-server 2>/dev/null | sed -n 's/^installed //p'
}

# is_wanted VERSION: the package may say more than the version, `+ours1`
is_wanted() {
    case $1 in
    "$version") return 0 ;;
    "$version"[0-9]*) return 1 ;;
    "$version"?*) return 0 ;;
    *) return 1 ;;
    esac
}

before=$(installed_version)
if is_wanted "$before" && [ -x /usr/lib/rstudio-server/bin/rserver ]; then
    exit 0
fi
if [ ! -f "$deb" ]; then
    echo "the package of RStudio Server is not on this machine: $deb" >&2
    exit 1
fi
again=
if is_wanted "$before"; then again=--reinstall; fi
systemctl stop rstudio-server.service 2>/dev/null || true
systemctl mask --quiet rstudio-server.service
apt-get install --yes --quiet --no-install-recommends --allow-downgrades $again \
    -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold -o APT::Sandbox::User=root "$deb" >&2
now=$(installed_version)
if ! is_wanted "$now"; then
    echo "RStudio Server $version was to be installed, and there is ${now:-none}" >&2
    exit 1
fi
if [ -n "$(pidof rserver || true)" ]; then
    echo "the package of RStudio Server started its server although its unit is masked" >&2
    exit 1
fi
if [ -z "$before" ]; then
    rm -f /var/lib/rstudio-server/secure-cookie-key /var/lib/rstudio-server/session-rpc-key \
        /etc/rstudio/secure-cookie-key /var/lib/rstudio-server/rstudio-os.sqlite* /var/lib/rstudio-server/rstudio.sqlite*
fi
echo changed
