#!/bin/sh
# Writes boxes/_base/BASE.r-packages.txt: which R packages a base's Debian has, and which others each one
# brings. A stable release does not change its packages; run this script when a base is added.
#   tools/r_packages.sh SUITE BASE [MIRROR]     tools/r_packages.sh bookworm debian-12
# A line: Debian's package, R's names of the packages in it (with commas), the listed packages it needs.
set -eu

suite=$1 base=$2 mirror=${3:-http://deb.debian.org/debian}
place=$(cd "$(dirname "$0")/.." && pwd)/boxes/_base/$base.r-packages.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
cat >"$work/apt.conf" <<EOF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "$work/parts";
Dir::State::Lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "amd64";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Sandbox::User "root";
Acquire::IndexTargets::deb::Contents-deb {
  MetaKey "\$(COMPONENT)/Contents-\$(ARCHITECTURE)";
  ShortDescription "Contents-\$(ARCHITECTURE)";
  Description "\$(RELEASE)/\$(COMPONENT) \$(ARCHITECTURE) Contents (deb)";
  DefaultEnabled "true";
};
EOF
# Read and fetched as root: the folder is for root alone
export APT_CONFIG="$work/apt.conf"
# The lists of files are large and change often: a mirror may be updating them just now
without=Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
if ! apt-get -qq update >&2 || [ -z "$(apt-cache dumpavail)" ]; then
  apt-get -qq -o "$without" update >&2
fi
apt-cache dumpavail >"$work/avail"
[ -s "$work/avail" ] || { echo "error: $suite's packages cannot be read from $mirror" >&2; exit 4; }
# shellcheck disable=SC2016
apt-get indextargets --format '$(FILENAME)' 'Created-By: Contents-deb' | while read -r file; do
  # A file of each R package, where R looks for installed packages
  /usr/lib/apt/apt-helper cat-file "$file" | grep -E '^usr/(lib|share)/R/(site-)?library/[^/]+/DESCRIPTION[[:space:]]' || true
done >"$work/contents"
if ! [ -s "$work/contents" ]; then
  echo "note: $suite's lists of files cannot be read: R's names come from other bases and from CRAN's pages" >&2
  # The newest base last: its names are the best guess
  cat "${place%/*}"/*.r-packages.txt | awk '
    FNR == NR { if ($2 != "-") { known[$1] = $2 }; next }
    /^Package: / { package = $2 }
    /^Homepage: / {
      name = $2; sub(/\/$/, "", name); sub(/.*[=\/]/, "", name)
      if (!(package in known) && tolower(name) == substr(package, 8)) known[package] = name
    }
    /^$/ && package ~ /^r-(cran|bioc|other)-/ {
      count = split((package in known) ? known[package] : substr(package, 8), names, ",")
      for (one = 1; one <= count; one++) print "usr/lib/R/site-library/" names[one] "/DESCRIPTION", package
      package = ""
    }
  ' - "$work/avail" >"$work/contents"
  echo "usr/lib/R/library/base/DESCRIPTION r-base-core" >>"$work/contents"
fi

awk '
  # First the names in R, by package; then the packages that dpkg says each needs
  FNR == NR {
    split($1, step, "/"); count = split($2, owner, ",")
    for (one = 1; one <= count; one++) {
      name = owner[one]; sub(/.*\//, "", name)
      if (!((name, step[5]) in seen)) holds[name] = (name in holds ? holds[name] "," : "") step[5]
      seen[name, step[5]] = 1
    }
    next
  }
  /^Package: / { package = $2 }
  /^(Pre-)?Depends: / { sub(/^[^:]*: /, ""); needs[package] = needs[package] ", " $0 }
  END {
    for (package in needs) {
      all = ""; wanted = (package in holds)
      count = split(needs[package], need, /, */)
      for (one = 1; one <= count; one++) {
        name = need[one]
        # Where several would do, apt takes the first
        sub(/[ (|:].*/, "", name)
        if (name in holds && name != "r-base-core") { all = all " " name; wanted = 1 }
      }
      if (wanted && package != "r-base-core") print package, ((package in holds) ? holds[package] : "-") all
    }
  }
' "$work/contents" "$work/avail" | LC_ALL=C sort >"$place"
wc -l "$place" >&2
