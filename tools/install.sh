#!/bin/sh
# Installs a lock file and this project into a new environment: with four pips, for one of them mostly waits for
# one server after another. Each gets its own part of the file; every package is named there with its checksums, so
# that no pip has to look for what another one installs.
#   tools/install.sh PYTHON LOCK
set -eu

python=$1 lock=$2 pips=4
parts=$(mktemp -d)
running=
trap 'rm -rf "$parts"' EXIT
# A process beside the script does not hear Ctrl-C
# shellcheck disable=SC2086  # process ids, one word each
trap 'kill $running 2>/dev/null || true; exit 130' INT TERM HUP

awk -v parts="$parts" -v pips="$pips" '/^[^ #]/ { part = (part + 1) % pips } { print > (parts "/" part) }' "$lock"

pip() { "$python" -m pip install -q --no-compile --no-deps "$@"; }

pip -e . &
running="$running $!"
for part in "$parts"/*; do
  pip --require-hashes -r "$part" &
  running="$running $!"
done
failed=
for one in $running; do wait "$one" || failed=yes; done
[ -z "$failed" ] || exit 1
"$python" -m pip check
# Whoever runs it may not be allowed to write here. Some files of packages are for another Python
"$python" -m compileall -q -j 0 "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" >/dev/null || true
