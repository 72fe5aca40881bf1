# install-locked.sh FOLDER: installs all package files there in one transaction, from these files alone, and removes
# the files. Prints `changed` if there were any.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

cd "$1" 2>/dev/null || exit 0
set -- ./*.deb
[ -e "$1" ] || exit 0
# Without any source, apt knows what is installed and these files, and nothing else: it can download nothing
apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$@" >&2
rm -f -- "$@"
echo changed
