"""Passwords that people get: at random, through a pipe, once."""

from typing import Any

import pytest

from sandbox.errors import CommandError, ProvisionError, UsageError
from sandbox.guest.passwords import (
    NewPassword,
    give_missing_passwords,
    give_password,
    make_password,
)
from sandbox.plan import Plan
from sandbox.spec.models import User
from sandbox.spec.rstudio import RstudioServer
from sandbox.spec.services import Services
from tests.unit.factories import plain_plan


class Target:
    """Stands in for ssh: says who has no password, and takes down what it gets."""

    def __init__(self, said: str = "", *, fails: bool = False) -> None:
        self.said, self.fails = said, fails
        self.ran: list[tuple[tuple[str, ...], str]] = []

    def run(self, command: tuple[str, ...], *, timeout_s: float, stdin: str) -> Any:
        assert timeout_s > 0
        self.ran.append((command, stdin))
        if self.fails and "chpasswd" in command:
            raise CommandError("failed", returncode=1, stdout="", stderr=stdin, details=stdin)

        class Done:
            stdout = self.said

        return Done


class Machine:
    """The parts of a guest that are used here."""

    name = "box"

    def __init__(self, plan: Plan, target: Target) -> None:
        self.plan, self.target = plan, target
        self.told: list[object] = []

    def login(self) -> Target:
        return self.target

    def listener(self, event: object) -> None:
        self.told.append(event)


def guest(target: Target, **settings: Any) -> Any:
    rstudio = RstudioServer(version="2024.12.0+467", **settings)
    update = {
        "services": Services(rstudio_server=rstudio),
        "users": (User(name="ada"), User(name="bob")),
    }
    return Machine(plain_plan().model_copy(update=update), target)


def test_a_password_is_long_and_never_the_same() -> None:
    made = {make_password() for _ in range(200)}
    assert len(made) == 200
    assert {len(one) for one in made} == {19}
    assert not any(letter in one for one in made for letter in "lo0O1IyzYZ:\n")


def test_who_has_none_gets_one_through_a_pipe() -> None:
    target = Target("locked bob\n")
    machine = guest(target)
    (given,) = give_missing_passwords(machine)
    assert given.user == "bob"
    command, stdin = target.ran[-1]
    assert command == ("sudo", "-n", "chpasswd")
    assert stdin == f"bob:{given.password}\n"
    # Neither a command line nor an event has it
    words = [*(word for command, _ in target.ran for word in command), *map(repr, machine.told)]
    assert machine.told
    assert not any(given.password in word for word in words)
    assert given.password not in repr(given)


def test_who_has_one_keeps_it() -> None:
    target = Target("")
    assert give_missing_passwords(guest(target)) == ()
    assert len(target.ran) == 1


def test_without_passwords_nothing_is_asked() -> None:
    target = Target("locked ada\nlocked bob\n")
    assert give_missing_passwords(guest(target, passwords=False)) == ()
    assert target.ran == []


def test_a_new_one_for_one_person() -> None:
    target = Target()
    given = give_password(guest(target), "ada")
    assert target.ran == [(("sudo", "-n", "chpasswd"), f"ada:{given.password}\n")]


@pytest.mark.parametrize("user", ["eve", "root"])
def test_nobody_else_gets_one(user: str) -> None:
    target = Target()
    with pytest.raises(UsageError, match=f"{user} has no password"):
        give_password(guest(target), user)
    assert target.ran == []


def test_an_error_does_not_show_it() -> None:
    target = Target("locked ada\n", fails=True)
    with pytest.raises(ProvisionError) as found:
        give_missing_passwords(guest(target))
    password = target.ran[-1][1].partition(":")[2].strip()
    assert password
    shown = f"{found.value.message}{found.value.details}{found.value.hint}{found.value.__cause__}"
    assert password not in shown


def test_two_machines_share_none() -> None:
    first = give_missing_passwords(guest(Target("locked ada\n")))
    second = give_missing_passwords(guest(Target("locked ada\n")))
    assert isinstance(first[0], NewPassword)
    assert first[0].password != second[0].password
