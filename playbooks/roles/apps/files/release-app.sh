# release-app.sh SITE RELEASES NAME RELEASE [mend]: a copied release becomes the one that is served, at once.
# With `mend`, what took its place is moved away; says `same` where all is as it should be.
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
    # Somebody's work: it is not ours to remove
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
