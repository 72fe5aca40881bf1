# r-versions.sh FOLDER [VERSION SOURCE DEB SHA256 DEFAULT]...: installs the Rs of that source `posit` from their
# packages in FOLDER, in one transaction; makes the links that users of rig know; removes Rs that it installed
# before and that are not named any more. Prints `changed` if it changed something.
set -eu
folder=$1
shift
ours=/var/lib/sandbox/r_versions
bin=/usr/local/bin
opt=/opt/R

changed() { echo changed; }

fail() {
    echo "$1" >&2
    exit 1
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" >&2
}

# link TARGET PATH: a link there, in place of another link
link() {
    if [ -e "$2" ] && [ ! -L "$2" ]; then
        fail "$2 is in the way: it is no link, so somebody else put it there; move it away"
    fi
    if [ "$(readlink "$2" || true)" != "$1" ]; then
        ln -sfn "$1" "$2"
        changed
    fi
}

# unlink PATH: no link of ours there. One that leads elsewhere is somebody else's
unlink_ours() {
    case $(readlink "$1" || true) in
    "$opt"/* | /usr/bin/R | /usr/bin/Rscript)
        rm "$1"
        changed
        ;;
    esac
}

# The one that is on the machine has these bytes; without a checksum the version alone is known
is_installed() {
    [ -x "$opt/$1/bin/R" ] && [ -e "$ours/$1" ] && [ "$(cat "$ours/$1")" = "posit $2" ]
}

# mend VERSION: what a build from another distribution takes for granted
mend() {
    mend_etc=$opt/$1/lib/R/etc
    [ -e "$mend_etc/Renviron" ] || return 0
    # Each is a program's path, and R uses it without a look whether it is there
    for mend_pair in TAR=/usr/bin/gtar=tar SED=/usr/bin/sed=sed; do
        mend_name=${mend_pair%%=*} mend_program=${mend_pair##*=}
        mend_path=${mend_pair#*=} mend_path=${mend_path%=*}
        if [ ! -e "$mend_path" ] && grep -q "^$mend_name=.*$mend_path" "$mend_etc/Renviron"; then
            sed -i "/^$mend_name=/s|$mend_path|$(command -v "$mend_program")|" "$mend_etc/Renviron"
            changed
        fi
    done
    # The portable build's own fontconfig looks for its settings where they are not: it then crashes at the
    # first plot. The other builds use the system's
    if [ -e "${mend_etc%/etc}/sbom.cdx.json" ] && ! grep -q '^FONTCONFIG_PATH=' "$mend_etc/Renviron"; then
        # shellcheck disable=SC2016  # R expands it
        printf '%s\n' 'FONTCONFIG_PATH=${FONTCONFIG_PATH-/etc/fonts}' >>"$mend_etc/Renviron"
        changed
    fi
}

# ---- what is wanted: one line an R, `VERSION SOURCE DEB SHA256 DEFAULT`; versions and names have no blanks
wanted=
while [ $# -gt 0 ]; do
    wanted="$wanted$1 $2 ${3:--} ${4:--} $5
"
    shift 5
done
[ -n "$wanted" ] || [ -d "$ours" ] || exit 0
several=no
[ "$(printf '%s' "$wanted" | wc -l)" -le 1 ] || several=yes

# ---- packages, in one transaction
set --
again=
while read -r version source deb sha256 _; do
    [ "${source:-}" = posit ] || continue
    ! is_installed "$version" "$sha256" || continue
    [ -f "$folder/$deb" ] || fail "the package of R $version is not on this machine: $folder/$deb"
    if [ "$sha256" != - ] && ! echo "$sha256  $folder/$deb" | sha256sum -c --status; then
        fail "the package of R $version is damaged: $folder/$deb has not the SHA-256 $sha256"
    fi
    # Each build has the package version 1: without this, apt would keep other bytes of the same R
    if [ -e "$opt/$version/bin/R" ]; then again=--reinstall; fi
    set -- "$@" "$folder/$deb"
done <<END
$wanted
END
if [ $# -gt 0 ]; then
    # shellcheck disable=SC2086  # empty, or one word
    apt install --no-install-recommends $again "$@"
    changed
fi

# ---- links
mkdir -p "$ours" "$bin"
default=
while read -r version source _ sha256 is_default; do
    [ -n "${version:-}" ] || continue
    if [ "$source" = posit ]; then
        [ -x "$opt/$version/bin/R" ] || fail "the package of R $version has brought no $opt/$version/bin/R"
        mend "$version"
        from=$opt/$version/bin
        [ "$is_default" != true ] || default=$version
    else
        from=/usr/bin
    fi
    if [ "$source" = posit ] || [ $several = yes ]; then
        printf '%s\n' "$source $sha256" >"$ours/$version"
        link "$from/R" "$bin/R-$version"
        link "$from/Rscript" "$bin/Rscript-$version"
    fi
done <<END
$wanted
END
if [ -n "$default" ]; then
    link "$opt/$default" "$opt/current"
    for name in R Rscript; do link "$opt/current/bin/$name" "$bin/$name"; done
else
    # Debian's R is the default: it is next on the PATH
    for path in "$bin/R" "$bin/Rscript" "$opt/current"; do unlink_ours "$path"; done
fi

# ---- what is wanted no more
for file in "$ours"/*; do
    version=${file##*/}
    [ -e "$file" ] || continue
    kept=no
    while read -r one source _; do
        if [ "$one" = "$version" ] && { [ "$source" = posit ] || [ $several = yes ]; }; then kept=yes; fi
    done <<END
$wanted
END
    [ $kept = no ] || continue
    for name in R Rscript; do unlink_ours "$bin/$name-$version"; done
    case $(cat "$file") in
    posit*)
        # Dependencies stay: others may have come to need them. Its packages lie in it, and go with it
        apt purge "r-$version"
        rm -rf "${opt:?}/${version:?}"
        ;;
    esac
    rm "$file"
    changed
done
for path in "$bin"/R-* "$bin"/Rscript-*; do
    # Of an R that somebody else has removed
    if [ -L "$path" ] && [ ! -e "$path" ]; then unlink_ours "$path"; fi
done
rmdir "$ours" 2>/dev/null || true
