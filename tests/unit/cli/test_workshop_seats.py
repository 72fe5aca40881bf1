"""The commands on an open workshop, as a trainer types them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sandbox.cli import settings, workshop
from sandbox.cli.completion import completions
from sandbox.cli.workshop_named import trainers_page
from sandbox.errors import ProviderError, UsageError
from sandbox.events import Listener
from sandbox.spec.problem import InvalidBoxError
from sandbox.spec.workshop import Listen, Tls
from sandbox.workflows.context import Context
from sandbox.workflows.workshop import keeper
from sandbox.workflows.workshop.add import finish
from tests.unit.workflows.workshop.conftest import FILE, Classroom, classroom, saving

__all__ = ["classroom", "saving"]


@pytest.fixture
def room(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    def context(listener: Listener, **_: object) -> Context:
        del listener
        return classroom.context

    for module in ("settings", "workshop"):
        monkeypatch.setattr(f"sandbox.cli.{module}.context", context)
    monkeypatch.chdir(classroom.folder)
    Path("class.workshop.yml").write_text(FILE, encoding="utf-8")
    assert settings.context is context
    return classroom


def run(*args: str, stdin: str = "") -> Result:
    app = typer.Typer()
    workshop.register(app)
    return CliRunner().invoke(app, ["workshop", *args], input=stdin)


def shown(*args: str) -> str:
    result = run(*args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.mark.parametrize(
    "words", [["status"], ["add", "1"], ["extend", "--by", "1h"], ["slips"], ["homes"]], ids=str
)
def test_each_command_starts_a_keeper_that_was_killed(
    room: Classroom, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    shown("up", "class.workshop.yml")
    room.store.part("logs")
    keeper.log_of(room.store).write_text("it ran\n", encoding="utf-8")
    monkeypatch.setattr(keeper, "start_keeper", lambda store: started.append(store.name))
    shown(*words)
    assert started == ["class"]


def test_from_up_to_down(room: Classroom) -> None:
    said = shown("up", "class.workshop.yml")
    assert "seat01  -       http://seat01.localhost:8080/  ready" in said
    assert "to claim a seat: http://claim.localhost:8080/" in said
    assert f"secret: {room.store.secrets().trainer}" in said
    assert Path("class-slips/class-slips.html").exists()
    assert "class  open   4 of 4" in shown("list")
    assert "seat01  (spare)  ready" in shown("status")
    assert shown("extend", "--by", "1h").startswith("class ends ")
    assert shown("down", "--no-collect", "--yes") == ""
    assert not room.seats.there
    assert isinstance(run("status").exception, UsageError)


def test_up_as_json_has_no_secret(room: Classroom) -> None:
    said = shown("up", "class.workshop.yml", "--json", "--into", "out")
    assert [one["seat"] for one in json.loads(said)["seats"]] == [
        "seat01",
        "seat02",
        "seat03",
        "seat04",
    ]
    secrets = room.store.secrets()
    assert not any(one in said for one in (secrets.trainer, *secrets.seats.values()))


def test_slips_are_written_although_a_seat_failed(room: Classroom) -> None:
    room.silent = {"ws-class-02-g1"}
    result = run("up", "class.workshop.yml")
    assert isinstance(result.exception, ProviderError)
    assert result.exception.exit_code == 5
    assert "not ready" in result.stdout
    assert Path("class-slips/class-slips.csv").exists()


def test_late_people(room: Classroom) -> None:
    run("up", "class.workshop.yml")
    said = shown("add", "--name", "Ada Byron", "--email", "ada@example.org")
    assert f"learner  {room.store.secret_of(1)}" in said
    added = json.loads(shown("add", "class", "2", "--json"))
    assert [one["seat"] for one in added] == ["seat06", "seat07"]
    assert json.loads(shown("add", "1", "--json"))[0]["seat"] == "seat08"


@pytest.mark.parametrize(
    "words",
    [
        ("add",),
        ("add", "class"),
        ("add", "a", "b", "2"),
        ("add", "--name", "a", "--name", "b", "--email", "x@y"),
        ("add", "--name", "\x1b[31m"),
        ("reset", "seat99"),
        ("reset", "class"),
        ("reset", "a", "b", "c"),
        ("reset", "1", "--restart", "--keep-home"),
        ("extend",),
        ("extend", "--by", "1h", "--until", "17:30"),
        ("down", "--no-collect"),
        ("status", "other"),
    ],
)
def test_what_is_refused(room: Classroom, words: tuple[str, ...]) -> None:
    run("up", "class.workshop.yml")
    machines = dict(room.seats.there)
    result = run(*words)
    assert isinstance(result.exception, UsageError), result.output
    assert room.seats.there == machines


ON_AN_OPEN_ONE = {
    "status": (),
    "add": ("1",),
    "reset": ("7",),
    "give": ("7", "--name", "Ada"),
    "extend": ("--by", "5m"),
    "slips": (),
    "push": ("task.R",),
    "collect": (),
    "exercises": (),
    "homes": (),
    "evacuate": ("lab1",),
    "down": ("--no-collect", "--yes"),
    "keep": (),
}
"""Each command on an open workshop, with what it needs beside the name."""


def test_each_command_on_an_open_workshop_is_tried_without_one() -> None:
    app = typer.Typer()
    workshop.register(app)
    (group,) = app.registered_groups
    assert group.typer_instance is not None
    names = {one.name for one in group.typer_instance.registered_commands}
    assert names == {*ON_AN_OPEN_ONE, "plan", "up", "list"}


@pytest.mark.parametrize("command", ON_AN_OPEN_ONE)
def test_of_a_workshop_that_is_not_there_nothing_is_left(room: Classroom, command: str) -> None:
    Path("task.R").touch()
    before = files(room)
    result = run(command, "gone.workshop.yml", *ON_AN_OPEN_ONE[command])
    assert isinstance(result.exception, UsageError), result.output
    assert "workshop gone" in result.exception.message
    assert files(room) == before


def test_who_waited_until_it_was_closed_leaves_nothing(room: Classroom) -> None:
    before = files(room)
    run("up", "class.workshop.yml")
    ws = room.ws()
    shown("down", "--no-collect", "--yes")
    with pytest.raises(UsageError, match="no workshop class is open"):
        finish(ws)
    slips = {one for one in files(room) if "class-slips" in one.parts}
    assert files(room) - slips == before


def files(room: Classroom) -> set[Path]:
    """Every file of the user: what he wrote, and what is kept for him."""
    return {one for one in room.folder.rglob("*") if one.is_file()}


@pytest.mark.usefixtures("saving")
def test_reset(room: Classroom) -> None:
    run("up", "class.workshop.yml")
    assert shown("reset", "seat02") == "http://seat02.localhost:8080/\n"
    assert json.loads(shown("reset", "class", "2", "--json"))["machine"] == "ws-class-02-g3"
    shown("reset", "class.workshop.yml", "02", "--restart")
    assert room.saved == [2, 2]


def test_status_as_json(room: Classroom) -> None:
    run("up", "class.workshop.yml")
    said = json.loads(shown("status", "--json"))
    assert [one["state"] for one in said["seats"]] == ["ready"] * 4
    assert not any(one in json.dumps(said) for one in room.store.secrets().seats.values())


def test_several_are_open(room: Classroom) -> None:
    run("up", "class.workshop.yml")
    Path("other.workshop.yml").write_text(FILE, encoding="utf-8")
    run("up", "other.workshop.yml")
    result = run("status")
    assert isinstance(result.exception, UsageError)
    assert result.exception.details == "class, other"
    assert len(room.seats.there) == 8


@pytest.mark.usefixtures("room")
def test_names_and_seats_are_completed() -> None:
    run("up", "class.workshop.yml")

    def words(*typed: str) -> list[str]:
        return [one.value for one in completions(["workshop", *typed[:-1]], typed[-1])]

    assert words("status", "cl") == ["class", "class-slips/", "class.workshop.yml"]
    assert words("reset", "class", "seat0") == ["seat01", "seat02", "seat03", "seat04"]
    assert words("reset", "") == ["class", "seat01", "seat02", "seat03", "seat04"]


@pytest.mark.usefixtures("room")
def test_a_wrong_workshop_file_is_told_at_its_lines() -> None:
    from sandbox.cli import boxes

    app = typer.Typer()
    boxes.register(app)
    assert CliRunner().invoke(app, ["validate"]).stdout == (
        "class.workshop.yml: valid (3 seats and 1 spare ones of shiny)\n"
    )
    Path("class.workshop.yml").write_text(FILE + "seat: 1\nbox2: x\n", encoding="utf-8")
    for words in (["validate"], ["validate", "class.workshop.yml"]):
        result = CliRunner().invoke(app, words)
        assert isinstance(result.exception, InvalidBoxError)
        assert "class.workshop.yml:5" in result.exception.details
        assert "class.workshop.yml:6" in result.exception.details
    found = CliRunner().invoke(app, ["validate", "class.workshop.yml", "--json"]).stdout
    assert json.loads(found)[0]["valid"] is False


def test_the_secret_of_the_trainers_page_is_shown_only_when_it_is_asked_for(
    room: Classroom,
) -> None:
    room.up()
    secret = room.store.secrets().trainer
    assert secret not in shown("status")
    asked = shown("status", "--secret")
    assert f"trainer's page:  http://127.0.0.1:8090/  secret: {secret}" in asked
    assert "seat01" in asked
    assert isinstance(run("status", "--secret", "--json").exception, UsageError)


def test_the_trainers_page_is_named_with_the_protocol_that_it_speaks(room: Classroom) -> None:
    ws = room.up()

    def named(address: str) -> str:
        changes = {
            "tls": Tls(certificate="all.pem", key="all.key"),
            "listen": Listen(page_address=address),
        }
        workshop = ws.workshop.model_copy(update=changes)
        record = ws.record.model_copy(update={"workshop": workshop})
        return trainers_page(replace(ws, record=record))

    assert "page:  http://127.0.0.1:8090/" in named("127.0.0.1")
    assert "page:  https://192.0.2.7:8090/" in named("192.0.2.7")
