"""Goal safe: nobody gets in who should not. Accounts, keys, sshd, files; ports.py has the ports."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Iterator

from sandbox.checks import ports
from sandbox.checks.check import CannotLook, Check, Look, none_of
from sandbox.checks.inspection import FileMode
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.plan import Plan
from sandbox.probe.facts import AuthorizedKey, SshDaemon

_COOKIE_KEY = "secure-cookie-key"
_LOCKED, _EMPTY = "locked", "empty"


def seen_checks(plan: Plan) -> Iterator[Check[Seen]]:
    """What the facts tell."""
    yield from ports.seen_checks(plan)
    yield from _accounts(plan)
    yield from _keys(plan)
    yield from _sshd(plan)
    yield from _files(plan)
    if plan.has_shiny:
        yield _check(
            plan,
            "safe.shiny.user",
            "apps do not run as root",
            "Shiny Server's run_as names an account that is not root",
            "an app runs whatever its users can talk it into: as root, that is the whole machine",
            _run_as,
        )


def _check(  # noqa: PLR0917  (one statement a call, read in this order)
    plan: Plan,
    check_id: str,
    title: str,
    expected: str,
    why: str,
    look: Callable[[Seen], Look],
    fix: str = "",
) -> Check[Seen]:
    return Check(check_id, Goal.SAFE, title, expected, why, look, fix or f"sandbox up {plan.name}")


# Accounts


def _accounts(plan: Plan) -> Iterator[Check[Seen]]:
    yield _check(
        plan,
        "safe.passwords",
        "no account has a password",
        "every password locked: the box plans none, logins use keys",
        "images with rstudio/rstudio in them were found by strangers and mined coins within days",
        lambda seen: none_of(_passwords(seen), nothing="all locked"),
        f"sandbox exec {plan.name} -- sudo passwd --lock USER",
    )
    yield _check(
        plan,
        "safe.users",
        "nobody unplanned can log in",
        f"a shell only for root, {_names(plan)}, and the account that sandbox logs in with",
        "an account that nobody remembers is one whose owner may have left",
        lambda seen: none_of(_strangers(plan, seen), nothing="only those"),
        f"sandbox exec {plan.name} -- sudo userdel USER",
    )
    yield _check(
        plan,
        "safe.sudo",
        "nobody unplanned can become root",
        f"sudo for {', '.join(u.name for u in plan.users if u.sudo) or 'no user of the box'},"
        " and for the account that sandbox logs in with",
        "whoever is root can read everybody's data",
        lambda seen: none_of(_sudoers(plan, seen), nothing="only those"),
        f"sandbox exec {plan.name} -- sudo grep -r USER /etc/sudoers /etc/sudoers.d /etc/group",
    )
    for user in plan.users:
        yield _check(
            plan,
            f"safe.user.{user.name}",
            f"the account {user.name} is as planned",
            f"groups {', '.join(user.groups) or 'as they come'};"
            f" {'with' if user.sudo else 'without'} sudo",
            "group membership decides whose data an analyst can read",
            _account_as_planned(user.name, user.groups, sudo=user.sudo),
        )


def _names(plan: Plan) -> str:
    return ", ".join(user.name for user in plan.users) or "no user of the box"


def _passwords(seen: Seen) -> Iterator[str]:
    for login in seen.inspection.logins:
        if login.password == _EMPTY:
            yield f"{login.name}: empty, anyone can log in"
        elif login.password != _LOCKED:
            yield f"{login.name}: set"


def _strangers(plan: Plan, seen: Seen) -> Iterator[str]:
    expected = {"root", seen.facts.probe.user, *(user.name for user in plan.users)}
    for login in seen.inspection.logins:
        if login.uid == 0 and login.name != "root":
            yield f"{login.name}: has root's uid 0"
        elif login.has_shell and login.name not in expected:
            yield f"{login.name} (uid {login.uid}, {login.shell or 'the default shell'})"


def _sudoers(plan: Plan, seen: Seen) -> Iterator[str]:
    if not seen.facts.probe.privileged:
        raise CannotLook("sudo rights were not seen: the probe ran without root")
    expected = {"root", seen.facts.probe.user, *(user.name for user in plan.users if user.sudo)}
    for account in seen.facts.users:
        if account.sudo and account.name not in expected:
            yield account.name


def _account_as_planned(name: str, groups: Iterable[str], *, sudo: bool) -> Callable[[Seen], Look]:
    def look(seen: Seen) -> Look:
        account = next((one for one in seen.facts.users if one.name == name), None)
        if account is None:
            return Look(ok=False, actual="there is no such account")
        missing = sorted(set(groups) - set(account.groups))
        problems = [f"not in {group}" for group in missing]
        if bool(account.sudo) is not sudo:
            problems.append("has sudo" if account.sudo else "has no sudo")
        login = next((one for one in seen.inspection.logins if one.name == name), None)
        if login is not None and not login.has_shell:
            problems.append(f"cannot log in ({account.shell})")
        return none_of(problems, nothing=f"groups {', '.join(account.groups) or 'none'}")

    return look


# Keys


def _keys(plan: Plan) -> Iterator[Check[Seen]]:
    yield _check(
        plan,
        "safe.keys.vagrant",
        "Vagrant's well-known key opens nothing",
        "in no authorized_keys",
        "its private half is public: with it, anyone who reaches port 22 is in",
        lambda seen: none_of(
            (one.user for one in _authorized(seen) if one.vagrant_insecure), nothing="in none"
        ),
        f"sandbox exec {plan.name} -- sudo nano ~USER/.ssh/authorized_keys (remove that line)",
    )
    yield _check(
        plan,
        "safe.keys",
        "only planned keys can log in",
        "the keys of the box's users, and the instance's own",
        "one forgotten line in authorized_keys outlives every password change",
        lambda seen: none_of(_strange_keys(plan, seen), nothing="only those"),
        f"sandbox exec {plan.name} -- sudo nano ~USER/.ssh/authorized_keys (remove that line)",
    )


def _authorized(seen: Seen) -> tuple[AuthorizedKey, ...]:
    if seen.facts.authorized_keys is None:
        raise CannotLook("authorized_keys were not seen: the probe ran without root")
    return seen.facts.authorized_keys


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
    """`SHA256:…` of a public key line, as ssh-keygen -l prints it; empty when it is none."""
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


def _sshd(plan: Plan) -> Iterator[Check[Seen]]:
    yield _check(
        plan,
        "safe.sshd.password",
        "sshd takes no passwords",
        "PasswordAuthentication no, KbdInteractiveAuthentication no, PermitEmptyPasswords no",
        "every machine that takes passwords on port 22 is guessed at, around the clock",
        _sshd_passwords,
    )
    yield _check(
        plan,
        "safe.sshd.root",
        "root cannot log in with a password",
        "PermitRootLogin no, prohibit-password or forced-commands-only",
        "root is the one account name that every guesser knows",
        _sshd_root,
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
    if seen.facts.sshd is None:
        raise CannotLook("sshd's settings were not seen: the probe ran without root")
    return seen.facts.sshd


# Files


def _files(plan: Plan) -> Iterator[Check[Seen]]:
    yield _check(
        plan,
        "safe.files.cookie-key",
        "RStudio's cookie key is secret",
        "absent, or readable by its owner alone (0600)",
        "whoever has the key makes valid login cookies; baked into an image, every copy shares it",
        _cookie_key,
        f"sandbox exec {plan.name} -- sudo chmod 600 /var/lib/rstudio-server/secure-cookie-key",
    )
    yield _check(
        plan,
        "safe.files.writable",
        "only root can change what others run",
        "site files, sudoers, Shiny Server's configuration: root's, and writable by no one else",
        "a line in Rprofile.site runs in everybody's R, with everybody's rights",
        lambda seen: none_of(_writable(seen.inspection.files), nothing="only root can"),
    )
    yield _check(
        plan,
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
    )


def _cookie_key(seen: Seen) -> Look:
    keys = [file for file in seen.inspection.files if file.path.endswith(_COOKIE_KEY)]
    if not keys:
        return Look(ok=True, actual="absent")
    open_ones = [f"{file.path} is {file.octal}" for file in keys if file.mode & 0o077]
    return none_of(open_ones, nothing="0600")


def _writable(files: Iterable[FileMode]) -> Iterator[str]:
    for file in files:
        logs = file.path.startswith("/var/log/")
        if file.mode & 0o002:
            yield f"{file.path} is {file.octal}: anyone can write to it"
        elif _COOKIE_KEY in file.path:
            # RStudio Server's own, and judged by a check of its own
            continue
        elif file.path.startswith("/etc/") and (file.owner != "root" or file.mode & 0o020):
            yield f"{file.path} is {file.octal} {file.owner}"
        elif logs and file.kind == "regular file" and file.mode & 0o020:
            yield f"{file.path} is {file.octal}: its group can rewrite the log"


def _run_as(seen: Seen) -> Look:
    server = seen.facts.shiny_server
    if server is None:
        return Look(ok=False, actual="no configuration of Shiny Server was found")
    names = server.run_as or ("shiny",)
    view = seen.facts.r_view("shiny")
    users = {*names, view.user} if view else set(names)
    return Look("root" not in users, ", ".join(sorted(users)))
