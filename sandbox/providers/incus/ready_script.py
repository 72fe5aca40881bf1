"""The script that root runs inside an Incus machine to make it ready for ssh.

One script, sent through `incus exec`: each call of `incus` costs up to a tenth of a second. It can
be run at any time and any number of times, and works on a public image as well as on ours.
"""

import re
from dataclasses import dataclass

from sandbox.providers.sealing import RENEW

LOGIN_USER = "sandbox"

WAIT_S = 120
"""How long a machine may take to boot; a slow laptop with ten machines starting needs a minute."""

# Arguments: name, seconds. stdin: the public key. Prints `state: …` whenever something changes, and
# at the end `ready: …` or `late: …`.
READY = r"""
set -u
name=$1 seconds=$2 user=@USER@
IFS= read -r key || true
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

end=$(($(date +%s) + seconds))
said= tries=0
say() { [ "$1" = "$said" ] || { said=$1; echo "state: $1"; }; }

login() {
  getent passwd "$user" >/dev/null || {
    useradd --system --create-home --shell /bin/bash "$user" || return 1
  }
  home=$(getent passwd "$user" | cut -d: -f6)
  file=$home/.ssh/authorized_keys
  # Only what is missing is added: a person may have put keys of their own there
  if ! grep -qxF -- "$key" "$file" 2>/dev/null; then
    group=$(id -g "$user")
    install -d -m 0700 -o "$user" -g "$group" "$home/.ssh" || return 1
    { cat "$file" 2>/dev/null; printf '%s\n' "$key"; } > "$file.new" || return 1
    chown "$user:$group" "$file.new" && chmod 0600 "$file.new" && mv "$file.new" "$file" || return 1
  fi
  if [ -d /etc/sudoers.d ] && [ ! -s "/etc/sudoers.d/$user" ]; then
    printf '%s ALL=(ALL:ALL) NOPASSWD: ALL\n' "$user" > "/etc/sudoers.d/.$user" || return 1
    chmod 0440 "/etc/sudoers.d/.$user" && mv "/etc/sudoers.d/.$user" "/etc/sudoers.d/$user"
  fi
}

hostname_is_ours() {
  kernel=/proc/sys/kernel/hostname
  [ "$(cat /etc/hostname 2>/dev/null)" = "$name" ] || printf '%s\n' "$name" > /etc/hostname
  [ "$(cat $kernel)" = "$name" ] || printf '%s' "$name" > $kernel
  grep -qwF -- "$name" /etc/hosts 2>/dev/null || printf '127.0.1.1 %s\n' "$name" >> /etc/hosts
}

addresses() { ip -4 -o addr show scope global | sed -n 's|.* inet \([0-9.]*\)/.*|\1|p'; }

# Greeted and heard out: else it is an error in its log
sshd_answers() {
  bash -c 'exec 3<>/dev/tcp/127.0.0.1/22 && printf "SSH-2.0-sandbox\r\n" >&3 &&
    IFS= read -r -t 3 word <&3 && [ "${word#SSH-}" != "$word" ]' 2>/dev/null
}

# Its unit has other names on other systems
sshd_unit() {
  for unit in ssh.service sshd.service; do
    if [ "$(systemctl show -P LoadState "$unit")" != not-found ]; then echo "$unit"; return; fi
  done
  return 1
}

# What keeps sshd from answering is put right, once, and said; what only a person can is said
mend_sshd() {
  unit=$(sshd_unit) || return 0
  # Its unit makes that folder, and takes it away when it stops
  [ -d /run/sshd ] || install -d -m 0755 /run/sshd
  if ! ls /etc/ssh/ssh_host_*_key >/dev/null 2>&1; then
    ssh-keygen -A >/dev/null && echo "mended: sshd had lost its host keys: new ones were made"
  fi
  if ! wrong=$(/usr/sbin/sshd -t 2>&1); then
    printf '%s\n' "$wrong" | sed 's/^/sshd: /'
    echo "late: sshd does not start: $(printf '%s' "$wrong" | head -n 1)"
    exit 4
  fi
  was=$(systemctl is-active "$unit") enabled=$(systemctl is-enabled "$unit" 2>/dev/null)
  case $enabled in
    masked*) systemctl unmask --quiet "$unit" ;;
  esac
  case $enabled in
    enabled* | static | alias | indirect) how= ;;
    *)
      how=", and starts with the machine again (it was $enabled)"
      systemctl enable --quiet "$unit"
      ;;
  esac
  case $was in
    active) what="did not answer: it was started again" ;;
    *) what="was $was: it was started" ;;
  esac
  systemctl reset-failed "$unit" 2>/dev/null
  if wrong=$(timeout 60 systemctl restart "$unit" 2>&1); then
    echo "mended: sshd $what$how"
  else
    journalctl --no-pager -q -b -u "$unit" -n 10 -o cat | sed 's/^/sshd: /'
    echo "late: sshd does not start: $(printf '%s' "$wrong" | head -n 1)"
    exit 4
  fi
}

late() { echo "late: $said"; systemctl list-jobs --no-legend --plain 2>&1 | head -n 20; exit 3; }

@RENEW@
login && hostname_is_ours || { echo "late: the login account cannot be prepared"; exit 3; }
while :; do
  [ "$(date +%s)" -lt "$end" ] || late
  system=$(systemctl is-system-running 2>&1) || true
  address=$(addresses | head -n 1)
  case $system in
    running | degraded)
      if [ -z "$address" ]; then
        say "systemd is $system, no IPv4 address yet"
      elif [ ! -x /usr/sbin/sshd ]; then
        ssh=absent
        break
      elif sshd_answers; then
        ssh=answers
        break
      else
        say "systemd is $system, sshd does not answer yet"
        # Systemd is done with starting: what did not come by now does not come by itself
        tries=$((tries + 1))
        if [ "$tries" = 20 ]; then mend_sshd 2>/dev/null; fi
      fi
      ;;
    starting | initializing)
      say "systemd: $system"
      # Systemd itself says when it is done: asking again and again would only keep it from it
      timeout $((end - $(date +%s) + 1)) systemctl is-system-running --wait >/dev/null 2>&1
      ;;
    *) say "systemd: $system" ;;
  esac
  sleep 0.05
done
failed=$(systemctl list-units --failed --no-legend --plain | cut -d' ' -f1 | tr '\n' ' ')
cat /etc/ssh/ssh_host_*_key.pub 2>/dev/null
echo "ready: $system $address $ssh $failed"
""".replace("@USER@", LOGIN_USER).replace("@RENEW@", RENEW)

# Both directions end together: sshd's end must not wait for the next key, and our end must not wait
# for sshd. Background jobs of a shell get /dev/null as stdin; the copy in 4 avoids that.
FORWARD = (
    "exec 3<>/dev/tcp/127.0.0.1/22 4<&0 || exit 1; "
    "cat <&3 & cat <&4 >&3 & wait -n; kill %1 %2 2>/dev/null; exit 0"
)
"""Connects stdin and stdout to the machine's own sshd; run by bash."""

HOST_KEYS = "cat /etc/ssh/ssh_host_*_key.pub"


@dataclass(frozen=True)
class Ready:
    """What the script found when the machine was ready."""

    system: str
    address: str
    has_sshd: bool
    failed_units: tuple[str, ...]
    host_keys: tuple[str, ...] = ()
    """The host keys, in the form of `parse_host_keys`."""
    mended: tuple[str, ...] = ()
    """The repairs that were made so that sshd answers."""


def parse_ready(text: str) -> Ready | None:
    """Parse the script's last line; None when it has not printed one."""
    found = re.search(r"^ready: (\S+) ([0-9.]{7,15}) (answers|absent) ?(.*)$", text, re.MULTILINE)
    if found is None:
        return None
    system, address, ssh, failed = found.groups()
    keys = parse_host_keys(text)
    mended = tuple(re.findall(r"^mended: (.+)$", text, re.MULTILINE))
    return Ready(system, address, ssh == "answers", tuple(failed.split()), keys, mended)


def sshd_words(text: str) -> str:
    """Return sshd's own words on why it does not start; empty for another trouble."""
    return "\n".join(re.findall(r"^sshd: (.*)$", text, re.MULTILINE))


def parse_host_keys(text: str) -> tuple[str, ...]:
    """Parse `TYPE BASE64` of every public key in `text`, comments left out."""
    keys = re.findall(r"^((?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+)(?: .*)?$", text, re.MULTILINE)
    return tuple(keys)
