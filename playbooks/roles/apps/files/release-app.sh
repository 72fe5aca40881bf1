# release-app.sh SITE RELEASES NAME RELEASE: a copied release becomes the one that is served, at once.
set -eu
site=$1
app=$2/$3
release=$app/$4
link=$site/$3

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
