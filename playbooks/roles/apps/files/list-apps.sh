# list-apps.sh SITE RELEASES: `NAME RELEASE` of each link in SITE that leads into RELEASES.
set -eu
site=$1
releases=$2

for link in "$site"/*; do
    if [ -L "$link" ]; then
        target=$(readlink "$link")
        case $target in
        "$releases/${link##*/}"/*) if [ -d "$target" ]; then echo "${link##*/} ${target##*/}"; fi ;;
        esac
    fi
done
