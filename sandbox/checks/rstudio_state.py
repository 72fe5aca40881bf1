"""Goals safe, correct and snappy of RStudio Server: its keys, its settings, its R, its speed."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Final

from sandbox.checks import fixes
from sandbox.checks.check import CannotLook, Check, Look, NothingToLookAt, none_of
from sandbox.checks.live import CheckedMachine, Seen
from sandbox.checks.results import Goal
from sandbox.checks.rstudio import client_for, proof_of, wanted
from sandbox.checks.rstudio_account import make_account, remove_accounts
from sandbox.checks.rstudio_proof import RstudioProof
from sandbox.checks.rstudio_session import NoSession, SignInFailed
from sandbox.facts.subjects.rstudio import SeenRstudioServer
from sandbox.placement import Placement
from sandbox.servers.rstudio import SERVER, TITLE, rserver_settings
from sandbox.spec.rstudio import RstudioServer, written
from sandbox.spec.rstudio_r import session_r
from sandbox.spec.rstudio_version import is_version

SESSION_BUDGET_S: Final = 20.0


def clone_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield what a clone could lack beyond `up_checks`: keys of its own."""
    return (one for one in safe_checks(placement) if one.id == _KEYS_ID)


# Goal safe

_KEYS_ID: Final = "safe.rstudio.keys"


def safe_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks of its keys and of PAM, which need a question of their own."""
    if wanted(placement.plan) is None:
        return
    yield Check(
        id=_KEYS_ID,
        goal=Goal.SAFE,
        title=f"the keys of {TITLE} are this machine's own",
        expected="each readable by its owner alone (0600), and made on this machine",
        why=(
            "whoever has the key signs in as anybody: two machines from one image that share it"
            " open each other's doors"
        ),
        look=_keys,
        fix=fixes.as_root(placement, "sh", "-c", _NEW_KEYS),
    )
    yield Check(
        id="safe.rstudio.pam",
        goal=Goal.SAFE,
        title=f"{TITLE} asks PAM for the password",
        expected="/etc/pam.d/rstudio is root's, asks for the password, and lets nobody in without",
        why="one line `auth sufficient pam_permit.so`, and every password is right",
        look=_pam,
        fix=fixes.up_command(placement),
    )
    yield Check(
        id="safe.rstudio.wrong-password",
        goal=Goal.SAFE,
        title=f"{TITLE} refuses a wrong password",
        expected="a refusal",
        why="a server that takes any password looks well in every other check",
        look=lambda machine: _wrong_password(placement, machine),
        fix=fixes.up_command(placement),
    )


_NEW_KEYS: Final = (
    f"systemctl stop {SERVER.unit}; rm -f /var/lib/rstudio-server/secure-cookie-key"
    f" /var/lib/rstudio-server/session-rpc-key; systemctl start {SERVER.unit}"
)
_KEYS: Final = """\
echo "machine $(stat -L -c %Y /etc/machine-id)"
for file in /var/lib/rstudio-server/secure-cookie-key /etc/rstudio/secure-cookie-key \
    /var/lib/rstudio-server/session-rpc-key; do
  if [ -e "$file" ]; then stat -L -c '%a %Y %s %n' "$file"; fi
done
"""
_LEAST_KEY_BYTES: Final = 16


def _keys(machine: CheckedMachine) -> Look:
    first, *lines = machine.sudo(_KEYS).splitlines()
    made_at = int(first.split()[1])
    if not lines:
        return Look(ok=False, actual="it has made no key: it has never started well")
    return none_of(_wrong_keys(lines, made_at), nothing="0600, and made here")


def _wrong_keys(lines: list[str], made_at: int) -> Iterator[str]:
    for line in lines:
        mode, changed_at, size, path = line.split(" ", 3)
        if int(mode, 8) & 0o077:
            yield f"{path} is {int(mode, 8):04o}"
        if int(changed_at) < made_at:
            yield f"{path} is older than this machine: it came with the image"
        if int(size) < _LEAST_KEY_BYTES:
            yield f"{path} has {size} bytes: anybody can guess it"


def _pam(machine: CheckedMachine) -> Look:
    file = "/etc/pam.d/rstudio"
    said = machine.sudo(f"if [ -f {file} ]; then stat -L -c '%a %U' {file}; cat {file}; fi")
    if not said.strip():
        return Look(ok=False, actual=f"there is no {file}: the service `other` decides")
    about, *lines = said.splitlines()
    mode, owner = about.split()
    return none_of(_wrong_pam(int(mode, 8), owner, lines), nothing="as it should be")


def _wrong_pam(mode: int, owner: str, lines: list[str]) -> Iterator[str]:
    if owner != "root" or mode & 0o022:
        yield f"it is {owner}'s, {mode:04o}"
    said = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    yield from (f"`{line}`" for line in said if re.search(r"pam_permit|nullok|pam_rootok", line))
    if not any(re.match(r"(@include\s+common-auth|auth\s)", line) for line in said):
        yield "nothing in it asks for a password"


def _wrong_password(placement: Placement, machine: CheckedMachine) -> Look:
    account = make_account(machine)
    try:
        client_for(placement.plan, machine).sign_in(account.name, f"not-{account.password[:16]}")
    except SignInFailed as error:
        return Look(ok=True, actual=str(error))
    except NoSession as error:
        raise CannotLook(str(error)) from error
    finally:
        remove_accounts(machine)
    return Look(ok=False, actual="it was taken for the right one")


# Goal correct


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the check of its version, answered by the facts."""
    rstudio = wanted(placement.plan)
    if rstudio is None:
        return

    def version(seen: Seen) -> Look:
        found = seen.facts.get(SeenRstudioServer)
        installed = (found.version if found is not None else None) or "none"
        return Look(is_version(installed, rstudio.version), installed)

    yield Check(
        id="correct.rstudio.version",
        goal=Goal.CORRECT,
        title=f"{TITLE} is {rstudio.version}",
        expected=rstudio.version,
        why="another version knows other settings and other versions of R",
        look=version,
        fix=fixes.up_command(placement),
    )


def correct_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks of its settings, and of the R that people get in it."""
    plan = placement.plan
    rstudio = wanted(plan)
    if rstudio is None:
        return
    yield Check(
        id="correct.rstudio.config",
        goal=Goal.CORRECT,
        title=f"the settings of {TITLE} are the box's",
        expected="rserver.conf and rsession.conf as the box says",
        why="limits, timeouts, rights: what was set by hand is gone in the next machine",
        look=lambda machine: _config(rstudio, machine),
        fix=fixes.up_command(placement),
    )
    yield from _r_checks(placement, rstudio)


_READ_CONFIG: Final = """\
for name in rserver rsession; do
  echo "@$name"
  cat "/etc/rstudio/$name.conf" 2>/dev/null || true
done
"""


def _config(rstudio: RstudioServer, machine: CheckedMachine) -> Look:
    said = {
        "rserver": sorted(f"{key}={written(value)}" for key, value in rserver_settings(rstudio)),
        "rsession": sorted(f"{key}={written(one)}" for key, one in rstudio.config.rsession.items()),
    }
    said["rserver"].append(f"www-port={rstudio.port}")
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in machine.sudo(_READ_CONFIG).splitlines():
        if line.startswith("@"):
            lines = found.setdefault(line[1:], [])
        elif line.strip() and not line.strip().startswith("#"):
            lines.append(line.strip())
    return none_of(_other_settings(said, found), nothing="as the box says")


def _other_settings(said: dict[str, list[str]], found: dict[str, list[str]]) -> Iterator[str]:
    ours = ("www-address=", "rsession-which-r=")
    for name, lines in said.items():
        there = found.get(name, [])
        yield from (f"{name}.conf lacks {line}" for line in lines if line not in there)
        yield from (
            f"{name}.conf has {line}"
            for line in there
            if line not in lines and not line.startswith(ours)
        )


def _r_checks(placement: Placement, rstudio: RstudioServer) -> Iterator[Check[CheckedMachine]]:
    plan = placement.plan
    r = session_r(plan.r, plan.base, rstudio.r)
    if r is None:
        return

    def version(proof: RstudioProof) -> Look:
        ok = proof.version == r.version or proof.version.startswith(f"{r.version}.")
        return Look(ok, f"R {proof.version} in {proof.home}")

    yield Check(
        id="correct.rstudio.r",
        goal=Goal.CORRECT,
        title=f"people in {TITLE} get R {r.version}",
        expected=f"R {r.version}",
        why="it takes the first R that it finds: another one has other packages and other answers",
        look=_of_proof(placement, version),
        fix=fixes.up_command(placement),
    )
    yield Check(
        id="correct.rstudio.libraries",
        goal=Goal.CORRECT,
        title=f"people in {TITLE} have the packages of the machine",
        expected="every library folder that R has in a login, in the same order",
        why="a folder that only one of them has: a script works in the terminal and not here",
        look=_of_proof(placement, _libraries),
        fix=fixes.up_command(placement),
    )


def _libraries(proof: RstudioProof) -> Look:
    if proof.plain_libraries is None:
        raise CannotLook("R in a login has named no library folder")
    return Look(proof.libraries == proof.plain_libraries, ", ".join(proof.libraries))


def _of_proof(
    placement: Placement, look: Callable[[RstudioProof], Look]
) -> Callable[[CheckedMachine], Look]:
    def ask(machine: CheckedMachine) -> Look:
        try:
            return look(proof_of(placement, machine))
        except (NoSession, SignInFailed) as error:
            raise CannotLook(f"no session: {error}") from error

    return ask


# Goal snappy


def snappy_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks of how long its page and a session take."""
    if wanted(placement.plan) is None:
        return
    budget = placement.plan.budget
    page_s = budget.warm_page_s
    session_s = budget.rstudio_session_s or SESSION_BUDGET_S

    def page(machine: CheckedMachine) -> Look:
        client = client_for(placement.plan, machine)
        started = time.monotonic()
        try:
            client.open_sign_in()
        except NoSession as error:
            raise CannotLook(f"the page does not come at all: {error}") from error
        return _within(time.monotonic() - started, page_s, machine)

    yield Check(
        id="snappy.page.rstudio",
        goal=Goal.SNAPPY,
        title=f"the sign-in page of {TITLE} comes fast",
        expected=f"within {page_s:g} s",
        why="this is the first thing that everybody waits for in the morning",
        look=page,
        fix="raise checks.budget.warm_page_s in the box",
    )
    yield Check(
        id="snappy.session.rstudio",
        goal=Goal.SNAPPY,
        title=f"a session of {TITLE} starts in time",
        expected=f"within {session_s:g} s, from the start of its R to the first line that it runs",
        why="what Rprofile.site loads, everybody waits for in every session",
        look=lambda machine: _of_proof(
            placement, lambda proof: _within(proof.elapsed_s, session_s, machine)
        )(machine),
        fix="load less in Rprofile.site, or raise checks.budget.rstudio_session_s in the box",
    )


def _within(elapsed_s: float, budget_s: float, machine: CheckedMachine) -> Look:
    actual = f"{elapsed_s:.2f} s"
    if elapsed_s > budget_s and machine.emulated:
        raise NothingToLookAt(f"{actual}, on a processor that QEMU emulates")
    return Look(elapsed_s <= budget_s, actual)
