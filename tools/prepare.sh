#!/bin/sh
# Installs what the Makefile needs before the project's own environment exists, unless it is there already:
# a Python of 3.11 or newer with venv, and for the tests shellcheck, an ssh client, fdisk,
# four login shells, R, gcc, three awks, nftables, Chromium, and Node.js with npm.
# Root makes the environment for everybody who may enter the checkout: so a Python in root's own home,
# which nobody else can run, is taken only when there is no other.
#   tools/prepare.sh [--test]     prints the Python to use on stdout, all else on stderr
set -eu

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

updated=
install() {
  if ! command -v apt-get >/dev/null; then
    echo "error: please install: $*" >&2
    echo "hint: this machine has no apt-get, so it cannot be done for you" >&2
    exit 4
  fi
  echo "installing $*" >&2
  # Once: python3 may be still to come
  [ -n "$updated" ] || as_root apt-get update -qq >&2
  updated=yes
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

usable() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# need PROGRAM PACKAGES: to be installed, all in one go, unless the program is there
missing=
need() {
  program=$1
  shift
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing="$missing $*"
}

if [ "${1:-}" = --test ]; then
  need shellcheck shellcheck
  need ssh-keygen openssh-client
  # They read the disks of virtual machines
  need sfdisk fdisk
  need debugfs e2fsprogs
  # Login shells that are not POSIX, for tests of capture; a browser, to look at reports with
  for shell in fish tcsh zsh busybox; do
    need "$shell" "$shell"
  done
  # R's own parser and start-up, for tests of what may leave a server; every awk that a server may have
  need R r-base-core
  # Shared objects, as R packages have them
  need gcc gcc libc6-dev
  need gawk gawk
  need original-awk original-awk
  # The password of a user of the stand-in for RStudio Server
  need openssl openssl
  command -v google-chrome >/dev/null || need chromium chromium
  # Looks at the firewall's rules of a cluster on this one machine
  need nft nftables
  # The YAML support of editors, to test the schema of boxes
  need npm nodejs npm
  # shellcheck disable=SC2086  # package names, one word each
  [ -z "$missing" ] || install $missing
fi

# all_may_enter FOLDER: whether everybody may enter it, and all folders above it
all_may_enter() {
  folder=$1
  while [ "$folder" != / ]; do
    case $(ls -ldL "$folder") in
      ?????????[xt]*) folder=$(dirname "$folder") ;;
      *) return 1 ;;
    esac
  done
}

for_all() {
  [ "$(id -u)" -ne 0 ] || ! all_may_enter "$PWD" ||
    all_may_enter "$("$1" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')"
}

# The first one that works; first those that everybody can use
choose() {
  own=
  for python in python3 python3.13 python3.12 python3.11 /usr/bin/python3 /usr/local/bin/python3; do
    if usable "$python"; then
      if for_all "$python"; then
        command -v "$python"
        return
      fi
      own=${own:-$(command -v "$python")}
    fi
  done
  return 1
}

choose && exit
[ -z "$own" ] || echo "nobody but root can run $own: looking for a Python for all" >&2
# In a process of its own: if it fails there may still be another way
(install python3 python3-venv) || [ -n "$own" ] || exit 4
choose && exit
if [ -n "$own" ]; then
  echo "warning: nobody but root can run $own, and so .venv/bin/sandbox" >&2
  echo "hint: put a Python that all can run first on PATH, then: make clean up" >&2
  echo "$own"
  exit 0
fi
echo "error: this system's python3 is older than 3.11" >&2
echo "hint: Debian 12 or newer, Ubuntu 24.04 or newer, or a Python of your own first on PATH" >&2
exit 4
