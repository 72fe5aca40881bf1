# release-app.sh SITE RELEASES NAME RELEASE [mend]: serve a copied release, at once.
# With `mend`, a file in its place is moved away; prints `same` where all is as it should be.
set -eu
site=$1
app=$2/$3
release=$app/$4
link=$site/$3
mend=${5:-}

if [ -n "$mend" ] && [ "$(readlink "$link" || true)" = "$release" ] \
    && diff -r -q --exclude=restart.txt "$release" "$release.part" >/dev/null; then
    rm -rf "$release.part"
    echo same
    exit 0
fi
if [ -n "$mend" ] && [ -e "$link" ] && [ ! -L "$link" ]; then
    # Somebody's work: we must not remove it
    mkdir -p /var/lib/sandbox/moved-away
    mv "$link" "/var/lib/sandbox/moved-away/$3.$(date +%s)"
fi
if [ -e "$link" ] && [ ! -L "$link" ]; then
    echo "$link is there already, and not ours: move it away" >&2
    exit 1
fi
rm -rf "$release"
mv "$release.part" "$release"
# Shiny Server starts a new R for an app when this file is new; sessions in the old R go on
touch "$release/restart.txt"
previous=$(readlink "$link" || true)
ln -sfn "$release" "$link.new"
mv -T "$link.new" "$link"
# The release before this one stays for those sessions, and for a way back
for old in "$app"/*; do
    if [ "$old" != "$release" ] && [ "$old" != "$previous" ]; then
        rm -rf "$old"
    fi
done
