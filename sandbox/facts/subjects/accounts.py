"""Accounts: people, root, those that run the servers, their passwords and rights."""

from collections.abc import Iterator
from typing import Literal

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.shapes import Check, Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.frame import Frame
from sandbox.probe.readers import IDS, name, plain, row, whole, word

_PEOPLE = range(1000, 60000)
_SERVICE_USERS = ("root", "shiny", "rstudio-server", "rstudio", "www-data")


class Account(FactsModel):
    """A user: people, root, those that run the servers, and any whose password is set or empty."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: tuple[str, ...]
    password: Literal["set", "locked", "empty", "unknown"]
    """`unknown` without root."""
    sudo: bool | None
    """Whether sudo lets them run commands as root; None without root."""


class Accounts(ListPart[Account]):
    """A user: people, root, those that run the servers, and any whose password is set or empty."""


def _check_account(line: str) -> None:
    """A line of passwd(5)."""
    if line.startswith(("+", "-")):
        # "and those of NIS": a file's word, nobody's account
        return
    user, _, uid, gid, _, home, shell = row(
        line, "an account of seven fields", least=7, most=7, separator=":"
    )
    name(user, "an account's name")
    whole(uid, "an account's uid", within=IDS)
    whole(gid, "an account's gid", within=IDS)
    plain(home, "an account's home")
    plain(shell, "an account's shell")


def _check_group(line: str) -> None:
    """A line of group(5)."""
    if line.startswith(("+", "-")):
        return
    group, _, gid, _ = row(line, "a group of four fields", least=4, most=4, separator=":")
    name(group, "a group's name")
    whole(gid, "a group's gid", within=IDS)


def _states(kind: str, *words: str) -> Check:
    """A section of names, each with one of a few words."""

    def one(line: str) -> None:
        # Of an empty line of /etc/shadow: an account without a name
        _, state = row(line, kind, least=2, most=2)
        word(state, kind, of=words)

    return rows(one)


def _parse(answer: ProbeAnswer) -> Accounts:
    by_gid, by_member = _groups(answer)
    passwords = answer.values("shadow")
    sudo = answer.values("sudo") if answer.first("sudo") is not None else None
    root = answer.first("root") is not None
    accounts = []
    for line in answer.lines("passwd"):
        fields = line.split(":")
        if len(fields) != 7 or not fields[2].isdecimal():  # noqa: PLR2004  (passwd(5))
            continue
        name, _, uid, gid, _, home, shell = fields
        password = _password(passwords.get(name))
        wanted = int(uid) in _PEOPLE or name in _SERVICE_USERS
        # A system account that a password (or none) opens is one to know of
        if not wanted and password not in ("set", "empty"):
            continue
        own = {*by_gid.get(gid, ()), *by_member.get(name, ())}
        accounts.append(
            Account(
                name=name,
                uid=int(uid),
                gid=int(gid),
                home=home,
                shell=shell,
                groups=tuple(sorted(own)),
                password=password,
                sudo=_may_sudo(name, sudo, root=root),
            )
        )
    return Accounts(tuple(sorted(accounts, key=lambda account: account.uid)))


def _groups(frame: Frame) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The groups by number, and by member: a directory service may know thousands of each."""
    by_gid: dict[str, list[str]] = {}
    by_member: dict[str, list[str]] = {}
    for line in frame.lines("group"):
        fields = line.split(":")
        if len(fields) != 4:  # noqa: PLR2004  (group(5))
            continue
        name, _, gid, members = fields
        by_gid.setdefault(gid, []).append(name)
        for member in members.split(","):
            by_member.setdefault(member, []).append(name)
    return by_gid, by_member


def _password(state: str | None) -> Literal["set", "locked", "empty", "unknown"]:
    match state:
        case "set" | "locked" | "empty":
            return state
        case _:
            return "unknown"


def _may_sudo(name: str, sudo: dict[str, str] | None, *, root: bool) -> bool | None:
    if name == "root":
        return True
    if sudo is None:
        # Root looked, and there is no sudo
        return False if root else None
    return {"yes": True, "no": False}.get(sudo.get(name, ""))


def passwords(facts: Facts) -> Reading:
    """Return how passwords that open the machine stand, not whose they are."""
    states = [one.password for one in _people(facts)]
    if "unknown" in states:
        raise CannotReadError(facts.why("passwords") or "passwords were not seen")
    return {"": frozenset(state for state in states if state in ("set", "empty"))}


def _people(facts: Facts) -> Iterator[Account]:
    return (one for one in facts[Accounts] if one.uid in _PEOPLE and one.name != facts.probe.user)


_TAKES = "=state: set|empty|locked|yes|no\n"
ACCOUNTS = Subject(
    name="users",
    rank=100,
    takes=_TAKES,
    part=Accounts,
    required=True,
    sections={
        "passwd": Shape(rows(_check_account), required=True, not_empty=True),
        "group": Shape(rows(_check_group), required=True, not_empty=True),
        "shadow": Shape(_states("an account and its state", "set", "locked", "empty")),
        "sudo": Shape(_states("an account and yes or no", "yes", "no")),
    },
    parse=_parse,
    kinds=(
        kind_of_machine(
            "access.passwords",
            Consequence.ACCESS,
            10,
            title="people with a password",
            how="set",
            why="an account with a known password was found by strangers, who mined coins",
            bug="rocker-org/rocker-versioned2/issues/975",
            read=passwords,
        ),
    ),
)
