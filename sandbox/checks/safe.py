"""Goal safe: nobody gets in who should not. Accounts, keys, sshd, files; ports.py has the ports."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from sandbox.checks import apis, fixes, ports, rstudio_state
from sandbox.checks.check import CannotLook, Check, Look, none_of
from sandbox.checks.inspection import FileMode, Login
from sandbox.checks.live import CheckedMachine, Seen
from sandbox.checks.results import Goal
from sandbox.facts.subjects.accounts import Accounts
from sandbox.facts.subjects.r import r_view
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.facts.subjects.ssh import AuthorizedKeys, SshDaemon
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.servers.shiny import SERVER as SHINY

_COOKIE_KEY = "secure-cookie-key"
_RSTUDIO_KEYS = (_COOKIE_KEY, "session-rpc-key")
_LOCKED, _EMPTY = "locked", "empty"
_LEAST_PERSON, _MOST_PERSON = 1000, 60000
"""The numbers that Debian gives to people's accounts."""


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the checks that nobody gets in who should not, answered by the facts."""
    yield from ports.seen_checks(placement)
    yield from _accounts(placement)
    yield from _keys(placement)
    yield from _sshd(placement)
    yield from _files(placement)
    yield from apis.safe_checks(placement)
    if SHINY.is_in(placement.plan.services):
        yield _check(
            placement,
            "safe.shiny.user",
            "apps do not run as root",
            "Shiny Server's run_as names an account that is not root",
            "an app runs whatever its users can talk it into: as root, that is the whole machine",
            _run_as,
        )


def live_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks that must ask the live machine."""
    yield from rstudio_state.safe_checks(placement)


def _check(  # noqa: PLR0917  (one statement a call, read in this order)
    placement: Placement,
    check_id: str,
    title: str,
    expected: str,
    why: str,
    look: Callable[[Seen], Look],
    fix: str = "",
) -> Check[Seen]:
    return Check(
        check_id, Goal.SAFE, title, expected, why, look, fix or fixes.up_command(placement)
    )


# Accounts


def _accounts(placement: Placement) -> Iterator[Check[Seen]]:
    yield _check(
        placement,
        "safe.passwords",
        "no account has a password that the box does not plan",
        _planned_passwords(placement.plan),
        "images with rstudio/rstudio in them were found by strangers and mined coins within days",
        lambda seen: _no_passwords(placement, seen),
    )
    yield _check(
        placement,
        "safe.users",
        "nobody unplanned can log in",
        f"a shell only for root, {_names(placement.plan)}, "
        "and the account that sandbox logs in with",
        "an account that nobody remembers: its owner may have left",
        lambda seen: _no_strangers(placement, seen),
    )
    yield _check(
        placement,
        "safe.sudo",
        "nobody unplanned can become root",
        f"sudo for {_sudo_names(placement.plan)}, and for the account that sandbox logs in with",
        "whoever is root can read everybody's data",
        lambda seen: none_of(_sudoers(placement.plan, seen), nothing="only those"),
        fixes.reset_command(placement),
    )
    for user in placement.plan.users:
        yield _check(
            placement,
            f"safe.user.{user.name}",
            f"the account {user.name} is as planned",
            f"groups {', '.join(user.groups) or 'as they come'};"
            f" {'with' if user.sudo else 'without'} sudo",
            "group membership decides which data an analyst can read",
            _account_as_planned(placement, user.name, user.groups, sudo=user.sudo),
        )


def _sudo_names(plan: Plan) -> str:
    return ", ".join(user.name for user in plan.users if user.sudo) or "no user of the box"


def _names(plan: Plan) -> str:
    return ", ".join(user.name for user in plan.users) or "no user of the box"


def _no_passwords(placement: Placement, seen: Seen) -> Look:
    planned = placement.plan.users_with_password
    names = [one.name for one in _with_password(planned, seen)]
    lock = [("passwd", "--lock", name) for name in names]
    nothing = "all others locked" if planned else "all locked"
    found = none_of(_passwords(planned, seen), nothing=nothing)
    return replace(found, fix=fixes.each_as_root(placement, lock))


def _planned_passwords(plan: Plan) -> str:
    if names := plan.users_with_password:
        return f"only {', '.join(names)} may have one, for RStudio Server; ssh takes keys alone"
    return "every password locked: the box plans none, logins use keys"


def _with_password(planned: tuple[str, ...], seen: Seen) -> Iterator[Login]:
    """Accounts that a password opens, or nothing at all, and the box plans none for them."""
    for login in seen.inspection.logins:
        is_planned = login.name in planned and login.password != _EMPTY
        if login.password != _LOCKED and not is_planned:
            yield login


def _passwords(planned: tuple[str, ...], seen: Seen) -> Iterator[str]:
    for login in _with_password(planned, seen):
        said = "empty, anyone can log in" if login.password == _EMPTY else "set"
        yield f"{login.name}: {said}"


def _no_strangers(placement: Placement, seen: Seen) -> Look:
    planned = _expected(placement.plan, seen)
    commands: list[tuple[str, ...]] = []
    for login in seen.inspection.logins:
        if login.name in planned or not (login.has_shell or login.uid == 0):
            continue
        if _LEAST_PERSON <= login.uid < _MOST_PERSON or login.uid == 0:
            # Also when somebody is logged in, or the number is root's
            commands.append(("userdel", "--force", login.name))
        else:
            # What runs under it goes on
            commands.append(("usermod", "--shell", "/usr/sbin/nologin", login.name))
    found = none_of(_strangers(placement.plan, seen), nothing="only those")
    return replace(found, fix=fixes.each_as_root(placement, commands))


def _expected(plan: Plan, seen: Seen) -> set[str]:
    of_servers = frozenset[str]().union(*(server.accounts for server in plan.servers))
    locked = {one.name for one in seen.inspection.logins if one.password == _LOCKED}
    people = {user.name for user in plan.users}
    return {"root", seen.facts.probe.user} | people | (of_servers & locked)


def _strangers(plan: Plan, seen: Seen) -> Iterator[str]:
    expected = _expected(plan, seen)
    for login in seen.inspection.logins:
        if login.uid == 0 and login.name != "root":
            yield f"{login.name}: has root's uid 0"
        elif login.has_shell and login.name not in expected:
            yield f"{login.name} (uid {login.uid}, {login.shell or 'the default shell'})"


def _sudoers(plan: Plan, seen: Seen) -> Iterator[str]:
    if not seen.facts.probe.privileged:
        raise CannotLook("sudo rights were not seen: the probe ran without root")
    expected = {"root", seen.facts.probe.user, *(user.name for user in plan.users if user.sudo)}
    for account in seen.facts[Accounts]:
        if account.sudo and account.name not in expected:
            yield account.name


def _account_as_planned(
    placement: Placement, name: str, groups: Iterable[str], *, sudo: bool
) -> Callable[[Seen], Look]:
    def look(seen: Seen) -> Look:
        account = next((one for one in seen.facts[Accounts] if one.name == name), None)
        if account is None:
            return Look(ok=False, actual="there is no such account")
        missing = sorted(set(groups) - set(account.groups))
        problems = [f"not in {group}" for group in missing]
        if bool(account.sudo) is not sudo:
            problems.append("has sudo" if account.sudo else "has no sudo")
        login = next((one for one in seen.inspection.logins if one.name == name), None)
        if login is not None and not login.has_shell:
            problems.append(f"cannot log in ({account.shell})")
        found = none_of(problems, nothing=f"groups {', '.join(account.groups) or 'none'}")
        # Rights that the box does not give come from a file that is not ours
        return (
            replace(found, fix=fixes.reset_command(placement))
            if account.sudo and not sudo
            else found
        )

    return look


# Keys


def _keys(placement: Placement) -> Iterator[Check[Seen]]:
    yield _check(
        placement,
        "safe.keys.vagrant",
        "Vagrant's well-known key opens nothing",
        "in no authorized_keys",
        "its private half is public: with it, anyone who reaches port 22 is in",
        lambda seen: none_of(
            (one.user for one in _authorized(seen) if one.vagrant_insecure), nothing="in none"
        ),
        fixes.reset_command(placement),
    )
    yield _check(
        placement,
        "safe.keys",
        "only planned keys can log in",
        "the keys of the box's users, and the instance's own",
        "one forgotten line in authorized_keys outlives every password change",
        lambda seen: none_of(_strange_keys(placement.plan, seen), nothing="only those"),
        fixes.reset_command(placement),
    )


def _authorized(seen: Seen) -> AuthorizedKeys:
    found = seen.facts.get(AuthorizedKeys)
    if found is None:
        raise CannotLook("authorized_keys were not seen: the probe ran without root")
    return found


def _strange_keys(plan: Plan, seen: Seen) -> Iterator[str]:
    planned = {(user.name, fingerprint(key)) for user in plan.users for key in user.ssh_keys}
    if seen.own_key:
        planned.add((seen.facts.probe.user, seen.own_key))
    for one in _authorized(seen):
        # Without our own key's fingerprint, the login account's keys cannot be judged
        unknown = not seen.own_key and one.user == seen.facts.probe.user
        if (one.user, one.fingerprint) not in planned and not unknown:
            yield f"{one.user}: {one.type} {one.fingerprint} {one.comment}".rstrip()


def fingerprint(public_key: str) -> str:
    """Return `SHA256:…` of a public key line, as ssh-keygen -l prints it; empty when it is none."""
    for word in public_key.split():
        if word.startswith("AAAA"):
            try:
                blob = base64.b64decode(word, validate=True)
            except binascii.Error:
                return ""
            digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
            return f"SHA256:{digest.rstrip('=')}"
    return ""


# sshd


def _sshd(placement: Placement) -> Iterator[Check[Seen]]:
    yield _check(
        placement,
        "safe.sshd.password",
        "sshd takes no passwords",
        "PasswordAuthentication no, KbdInteractiveAuthentication no, PermitEmptyPasswords no",
        "every machine that takes passwords on port 22 is guessed at, around the clock",
        _sshd_passwords,
        fixes.reset_command(placement),
    )
    yield _check(
        placement,
        "safe.sshd.root",
        "root cannot log in with a password",
        "PermitRootLogin no, prohibit-password or forced-commands-only",
        "root is the one account name that every guesser knows",
        _sshd_root,
        fixes.reset_command(placement),
    )


def _sshd_passwords(seen: Seen) -> Look:
    sshd = _sshd_settings(seen)
    settings = (
        ("PasswordAuthentication", sshd.password_authentication),
        ("KbdInteractiveAuthentication", sshd.kbd_interactive_authentication),
        ("PermitEmptyPasswords", sshd.permit_empty_passwords),
    )
    return none_of((f"{name} yes" for name, on in settings if on), nothing="all no")


def _sshd_root(seen: Seen) -> Look:
    value = _sshd_settings(seen).permit_root_login
    return Look(value.lower() != "yes", value)


def _sshd_settings(seen: Seen) -> SshDaemon:
    found = seen.facts.get(SshDaemon)
    if found is None:
        raise CannotLook("sshd's settings were not seen: the probe ran without root")
    return found


# Files


def _files(placement: Placement) -> Iterator[Check[Seen]]:
    yield _check(
        placement,
        "safe.files.cookie-key",
        "RStudio's cookie key is secret",
        "absent, or readable by its owner alone (0600)",
        "whoever has the key makes valid login cookies; baked into an image, every copy shares it",
        lambda seen: _cookie_key(placement, seen),
    )
    yield _check(
        placement,
        "safe.files.writable",
        "only root can change what others run",
        "site files, sudoers, Shiny Server's configuration: root's, and writable by no one else",
        "a line in Rprofile.site runs in everybody's R, with everybody's rights",
        lambda seen: _only_root_writes(placement, seen),
    )
    yield _check(
        placement,
        "safe.files.readable",
        "password hashes are not for everyone",
        "/etc/shadow and /etc/sudoers unreadable for others",
        "who can read the hashes can guess at them in peace",
        lambda seen: none_of(
            (
                f"{file.path} is {file.octal}"
                for file in seen.inspection.files
                if file.path in {"/etc/shadow", "/etc/sudoers"} and file.mode & 0o007
            ),
            nothing="not readable for others",
        ),
        fixes.as_root(placement, "chmod", "o-rwx", "/etc/shadow", "/etc/sudoers"),
    )


def _cookie_key(placement: Placement, seen: Seen) -> Look:
    keys = [file for file in seen.inspection.files if file.path.endswith(_RSTUDIO_KEYS)]
    if not keys:
        return Look(ok=True, actual="absent")
    open_ones = [f"{file.path} is {file.octal}" for file in keys if file.mode & 0o077]
    fix = fixes.as_root(placement, "chmod", "600", *(file.path for file in keys))
    return replace(none_of(open_ones, nothing="0600"), fix=fix)


def _only_root_writes(placement: Placement, seen: Seen) -> Look:
    wrong = [file for file in seen.inspection.files if any(_writable((file,)))]
    commands = [("chmod", "go-w", file.path) for file in wrong]
    commands += [
        ("chown", "root", file.path)
        for file in wrong
        if file.path.startswith("/etc/") and file.owner != "root"
    ]
    found = none_of(_writable(seen.inspection.files), nothing="only root can")
    return replace(found, fix=fixes.each_as_root(placement, commands))


def _writable(files: Iterable[FileMode]) -> Iterator[str]:
    for file in files:
        logs = file.path.startswith("/var/log/")
        if file.mode & 0o002:
            yield f"{file.path} is {file.octal}: anyone can write to it"
        elif file.path.endswith(_RSTUDIO_KEYS):
            # RStudio Server's own, and judged by a check of its own
            continue
        elif file.path.startswith("/etc/") and (file.owner != "root" or file.mode & 0o020):
            yield f"{file.path} is {file.octal} {file.owner}"
        elif logs and file.kind == "regular file" and file.mode & 0o020:
            yield f"{file.path} is {file.octal}: its group can rewrite the log"


def _run_as(seen: Seen) -> Look:
    server = seen.facts.get(SeenShinyServer)
    if server is None:
        return Look(ok=False, actual="no configuration of Shiny Server was found")
    names = server.run_as or ("shiny",)
    view = r_view(seen.facts, "shiny")
    users = {*names, view.user} if view else set(names)
    return Look("root" not in users, ", ".join(sorted(users)))
