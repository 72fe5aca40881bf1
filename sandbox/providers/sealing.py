"""Remove from a machine, before others are made from it, all that two machines must not share.

One script for every provider, run as root in a machine in which nothing else runs. Each machine
makes the removed things again at its first start: the base image's own units make host keys and
machine id, and `RENEW` makes the rest. The script can be run any number of times.
"""

from typing import Final

IMAGE_PREFIX: Final = "Baked-"
"""The beginning of every baked image's name; no sandbox can have such a name."""


def is_baked_name(image: str) -> bool:
    """Tell whether `MachineSpec.image` is a baked image, and not a base image."""
    return image.startswith(IMAGE_PREFIX)


_SECRETS: Final = r"""/etc/ssh/ssh_host_* \
  /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/urandom/random-seed \
  /var/lib/NetworkManager/secret_key \
  /var/lib/rstudio-server/secure-cookie-key /etc/rstudio/secure-cookie-key \
  /var/lib/rstudio-server/session-rpc-key \
  /var/lib/rstudio-server/rstudio-os.sqlite* /var/lib/rstudio-server/rstudio.sqlite* \
  /var/lib/shiny-server/secure-cookie-key /etc/shiny-server/secure-cookie-key \
  /etc/ssl/private/ssl-cert-snakeoil.key"""
"""Files that must differ between machines, as shell patterns."""

SEAL = r"""
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
login=$1 name=$2

# Who may log in, and who somebody is: the engine gives each machine a key and a name of its own
home=$(getent passwd "$login" | cut -d: -f6)
if [ -n "$home" ]; then rm -rf "$home/.ssh" "$home/.ansible"; fi
rm -rf /root/.ssh/authorized_keys /root/.ssh/known_hosts /root/.ansible
: > /etc/hostname
if grep -qwF -- "$name" /etc/hosts; then
  kept=$(grep -vE '^127\.0\.1\.1[[:space:]]' /etc/hosts || true)
  printf '%s\n' "$kept" > /etc/hosts
fi
: > /etc/machine-id
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id

# Secrets that services make for themselves when they first start
rm -f @SECRETS@
rm -f /etc/ssl/certs/ssl-cert-snakeoil.pem /var/lib/NetworkManager/*.lease
rm -rf /var/lib/rstudio-server/sessions /var/lib/systemd/coredump
key=$(sed -n 's/^[[:space:]]*secure-cookie-key-file[[:space:]]*=[[:space:]]*//p' \
  /etc/rstudio/rserver.conf 2>/dev/null || true)
case $key in /*) rm -f -- "$key" ;; esac
# Passwords that people got on this machine; keys of theirs are the box's own
for account in $(getent passwd | awk -F: '$5 == "sandbox user" { print $1 }'); do
  usermod --password '!' "$account"
done

# An old lease would make the machine ask for the address of another one
rm -f /var/lib/dhcp/*.leases /var/lib/dhcpcd/*.lease* /run/dhclient* 2>/dev/null || true

# What was said and typed
find /var/log -type f -delete
rm -rf /var/log/journal/* /var/tmp/* /var/tmp/.[!.]* /tmp/* /tmp/.[!.]*
find /root /home -xdev -maxdepth 2 -type f \
  \( -name '.*_history' -o -name .lesshst -o -name .viminfo -o -name .wget-hsts \
  -o -name .Rhistory -o -name .sudo_as_admin_successful \) -delete
rm -f /var/lib/sudo/lectured/* /var/lib/systemd/timers/*
find /var/mail /var/spool/mail -type f -delete 2>/dev/null || true

# Packages that are installed already
rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*
sync -f / 2>/dev/null || sync
""".replace("@SECRETS@", _SECRETS)
"""Arguments: the login account, the machine's name."""

OVERWRITE = r"""
# What is removed stays where it was on the disk; root of another machine could find it there
for file in @SECRETS@ /root/.ssh/* /home/*/.ssh/*; do
  [ ! -f "$file" ] || shred -n 1 "$file"
done
""".replace("@SECRETS@", _SECRETS)
"""Run before `SEAL` where a machine's disk keeps data that was removed."""

RENEW = r"""
if [ -x /usr/sbin/make-ssl-cert ] && [ ! -e /etc/ssl/private/ssl-cert-snakeoil.key ]; then
  make-ssl-cert generate-default-snakeoil --force-overwrite
fi
"""
"""Makes the things that no unit of the base image makes; root runs it in a started machine."""

STAND_STILL = r"""
# All but what this very command needs: none can write a new secret after the old one is gone
needed=" " pid=$$
while [ "$pid" -gt 1 ]; do
  needed="$needed$pid "
  pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done
for folder in /proc/[0-9]*; do
  pid=${folder#/proc/}
  case $needed in *" $pid "*) continue ;; esac
  kill -STOP "$pid" 2>/dev/null || true
done
"""
"""Stops every process but the first; run as root before `SEAL` in a machine that runs."""

REST = r"""
fstrim / 2>/dev/null || true
sync
echo u > /proc/sysrq-trigger
left=600
until grep -q '^[^ ]* / [^ ]* ro[, ]' /proc/mounts; do
  [ "$left" -gt 0 ] || { echo "the file system cannot be put to rest" >&2; exit 1; }
  left=$((left - 1))
  sleep 0.1
done
"""
"""Run after `SEAL`, before a machine is switched off by force: its disk needs no recovery then."""
