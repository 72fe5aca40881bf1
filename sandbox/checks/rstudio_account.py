"""An account for one check of RStudio Server: made on the machine, used once, and removed.

Nobody's own session may be used: a second sign-in of an account takes its session over. The
password is made on the machine and comes back over ssh, so it stands on no command line. What a
check that was killed has left is found by the account's comment, and it expires by itself.
"""

import secrets
import shlex
from dataclasses import dataclass
from typing import Final

from sandbox.checks.check import CannotLook
from sandbox.checks.live import CheckedMachine

_MARK: Final = "sandbox check"
_PROOF: Final = "sandbox-proof"
"""A file in the account's home, that R in its session writes."""

_REMOVE: Final = f"""\
remove_account() {{
  uid=$(id -u "$1" 2>/dev/null || true)
  # systemd's own process for it, which would count as failed if it were killed
  systemctl stop "user@$uid.service" 2>/dev/null || true
  pkill -KILL -u "$1" 2>/dev/null || true
  tries=50
  while pgrep -u "$1" >/dev/null 2>&1 && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1)); sleep 0.1
  done
  userdel --force --remove "$1" 2>/dev/null || true
  groupdel "$1" 2>/dev/null || true
  systemctl reset-failed "user@$uid.service" 2>/dev/null || true
}}
for left in $(getent passwd | awk -F: '$5 == "{_MARK}" {{ print $1 }}'); do
  remove_account "$left"
done
"""

_MAKE: Final = f"""\
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C
{_REMOVE}
setting() {{
  sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" /etc/rstudio/rserver.conf 2>/dev/null |
    tail -n 1
}}
name=@NAME@
least=$(setting auth-minimum-user-id)
group=$(setting auth-required-user-group)
end=$(date -d '+2 days' +%Y-%m-%d)
set -- --create-home --shell /bin/bash --comment "{_MARK}" --expiredate "$end"
case $least in *[!0-9]* | '') ;; *) set -- "$@" --key "UID_MIN=$least" ;; esac
[ -z "$group" ] || set -- "$@" --groups "${{group%%,*}}"
useradd "$@" "$name"
chmod 0700 "$(getent passwd "$name" | cut -d: -f6)"
password=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \\n')
# A builtin of the shell: no process has it among its words
printf '%s:%s\\n' "$name" "$password" | chpasswd
printf '%s %s %s\\n' "$name" "$password" "$(getent passwd "$name" | cut -d: -f6)"
"""

_READ: Final = """\
set -eu
tries=@TRIES@
while [ ! -f @FILE@ ] && [ "$tries" -gt 0 ]; do
  tries=$((tries - 1)); sleep 0.05
done
[ -f @FILE@ ] || { echo "R has written nothing" >&2; exit 1; }
cat @FILE@
"""
_TRIES_A_SECOND: Final = 20
_READ_LOGIN: Final = """\
# What a login of the same account has
su -l @NAME@ -c @PROGRAM@ | sed 's/^/plain\t/'
"""
_PLAIN: Final = """ --no-echo --no-save --no-restore -e 'writeLines(.libPaths())'"""


@dataclass(frozen=True)
class CheckAccount:
    """An account that is there for one check."""

    name: str
    password: str
    home: str

    def __repr__(self) -> str:
        """Without the password: pytest shows what stands in a failed frame."""
        return f"CheckAccount({self.name})"

    @property
    def proof(self) -> str:
        """The file in its home, by which R shows that it has run."""
        return f"{self.home}/{_PROOF}"


def make_account(machine: CheckedMachine) -> CheckAccount:
    """Make an account that may sign in, after removing those that are left.

    Raises:
        CannotLook: it cannot be made.
    """
    name = f"sandbox-check-{secrets.token_hex(3)}"
    # Known before it is there: what is looked at meanwhile may have it
    machine.rstudio.accounts.append(name)
    words = machine.sudo(_MAKE.replace("@NAME@", name)).split()
    if len(words) != 3:  # noqa: PLR2004  (name, password, home)
        raise CannotLook("no account for the check could be made: the machine's answer is none")
    return CheckAccount(*words)


def remove_accounts(machine: CheckedMachine) -> None:
    """End all that such accounts run, and remove them with their homes.

    Raises:
        CannotLook: the machine does not answer.
    """
    machine.sudo(f"set -eu\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n{_REMOVE}")


def read_proof(
    machine: CheckedMachine, account: CheckAccount, program: str | None, *, within_s: float
) -> str:
    """Read what R has written, and which libraries the R `program` has in a login, if one is named.

    Raises:
        CannotLook: it has written nothing in time.
    """
    words = {
        "@FILE@": account.proof,
        "@NAME@": account.name,
        "@PROGRAM@": shlex.quote(program or "") + _PLAIN,
    }
    script = _READ + (_READ_LOGIN if program else "")
    script = script.replace("@TRIES@", f"{within_s * _TRIES_A_SECOND:.0f}")
    for name, word in words.items():
        script = script.replace(name, shlex.quote(word))
    return machine.sudo(script)


@dataclass(frozen=True)
class SignInRules:
    """What the machine says about an account, to tell why it may not sign in."""

    uid: int | None
    """None: there is no such account."""
    least_uid: int
    groups: frozenset[str]
    required_groups: frozenset[str]
    """Empty: everybody's."""
    locked: bool

    def why(self, name: str) -> str:
        """Why this account cannot sign in whatever its password is; empty when it can."""
        if self.uid is None:
            return f"there is no account {name}"
        if self.uid < self.least_uid:
            return (
                f"the number of the account {name} is {self.uid}, and RStudio Server takes those"
                f" from {self.least_uid} on (auth-minimum-user-id)"
            )
        if self.required_groups and not self.required_groups & self.groups:
            wanted = " or ".join(sorted(self.required_groups))
            return f"{name} is not in the group {wanted} (auth-required-user-group)"
        return f"{name} has no password" if self.locked else ""


_RULES: Final = """\
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C
setting() {
  sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" /etc/rstudio/rserver.conf 2>/dev/null |
    tail -n 1
}
name=@NAME@
echo "uid $(id -u "$name" 2>/dev/null)"
echo "groups $(id -Gn "$name" 2>/dev/null)"
echo "least $(setting auth-minimum-user-id)"
echo "usual $(awk '$1 == "UID_MIN" { print $2 }' /etc/login.defs)"
echo "required $(setting auth-required-user-group | tr ',' ' ')"
echo "password $(passwd -S "$name" 2>/dev/null | cut -d ' ' -f 2)"
"""


def rules_for(machine: CheckedMachine, name: str) -> SignInRules:
    """Ask the machine what decides whether an account may sign in.

    Raises:
        CannotLook: the machine does not answer.
    """
    said: dict[str, list[str]] = {}
    for line in machine.sudo(_RULES.replace("@NAME@", shlex.quote(name))).splitlines():
        key, *words = line.split()
        said[key] = words
    uid = _number(said.get("uid"))
    least = _number(said.get("least")) or _number(said.get("usual")) or 1000
    return SignInRules(
        uid=uid,
        least_uid=least,
        groups=frozenset(said.get("groups", ())),
        required_groups=frozenset(said.get("required", ())),
        locked=said.get("password", ["P"])[:1] != ["P"],
    )


def _number(words: list[str] | None) -> int | None:
    return int(words[0]) if words and words[0].isdecimal() else None
