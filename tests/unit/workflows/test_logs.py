"""`sandbox logs`: an app's last start, what is new in it, and the name that nobody need say."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import ProviderError, UsageError
from sandbox.guest.guest import Guest
from sandbox.interrupts import Interrupted
from sandbox.providers import Registry
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.place import Place
from sandbox.record import Record
from sandbox.run import Completed
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from sandbox.workflows import logs
from sandbox.workflows.context import Context
from tests.unit.factories import shiny_sandbox


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any] | str]:
    """What the machine answers, one after the other; the last for ever."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    Instance("shiny").write(Record(placement=shiny_sandbox("shiny")))
    answers: list[dict[str, Any] | str] = []

    def run(_: SshTarget, command: tuple[str, ...], **__: object) -> Completed:
        one = answers.pop(0) if len(answers) > 1 else answers[0]
        text = "==> shiny-server.log <==" if "-s" in command else json.dumps(one)
        return Completed(command, 0, text if isinstance(one, dict) else one, "", 0.1)

    monkeypatch.setattr("sandbox.ssh.SshTarget.run", run)
    monkeypatch.setattr(Guest, "require_login", lambda guest: SshTarget(guest.name))
    return answers


def log(text: str, end: int, path: str = "/a.log", *, earlier: bool = False) -> dict[str, Any]:
    one = {"path": path, "age_s": 2, "end": end, "text": text, "earlier": earlier}
    return {"apps": {"faithful": [one]}}


ENGINE = FakeEngine(Path("/nowhere"))
CONTEXT = Context(
    Place("test"), providers=Registry(("fake",), lambda name: FakeProvider(ENGINE, name=name))
)


def test_one_app_is_one_file_and_its_last_lines(said: list[dict[str, Any] | str]) -> None:
    said.append(log("one\ntwo\nthree\n", 9))
    told = logs.machine_logs("shiny", context=CONTEXT, lines=2, app="faithful")
    assert told == "==> /a.log (written 2 s ago) <==\ntwo\nthree"


def test_without_an_app_the_server_is_shown_too(said: list[dict[str, Any] | str]) -> None:
    said.append(log("one\n", 9, earlier=True))
    told = logs.machine_logs("shiny", context=CONTEXT, lines=2)
    assert "by a release before" in told
    assert told.endswith("==> shiny-server.log <==")


def test_an_app_without_a_log_is_told(said: list[dict[str, Any] | str]) -> None:
    said.append({"apps": {"faithful": []}})
    told = logs.machine_logs("shiny", context=CONTEXT, lines=2, app="faithful")
    assert "nobody has opened faithful yet" in told


def test_an_unknown_app_is_refused_with_those_there_are(said: list[dict[str, Any] | str]) -> None:
    with pytest.raises(UsageError, match="no app `nope`") as caught:
        logs.machine_logs("shiny", context=CONTEXT, lines=2, app="nope")
    assert "faithful" in caught.value.details


def test_nonsense_is_no_log(said: list[dict[str, Any] | str]) -> None:
    said.append("nonsense")
    with pytest.raises(ProviderError, match="cannot read the logs of shiny"):
        logs.machine_logs("shiny", context=CONTEXT, lines=2, app="faithful")


def test_following_shows_what_is_new_and_each_file_once(
    said: list[dict[str, Any] | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said += [
        log("zero\none\n", 9),
        log("", 9),
        log("two\n", 13),
        log("three\n", 6, path="/b.log"),
        log("", 6, path="/b.log"),
    ]
    polls = iter(range(5))

    def sleep(_: float) -> None:
        if next(polls) == 4:
            raise Interrupted(signal.SIGINT)

    monkeypatch.setattr("sandbox.workflows.logs.time.sleep", sleep)
    told = list(logs.follow("shiny", context=CONTEXT, lines=1, app="faithful"))
    assert told == ["==> /a.log <==\none", "two", "==> /b.log <==\nthree"]


def test_the_only_sandbox_need_not_be_named(
    said: list[dict[str, Any] | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logs.the_only(None) == "shiny"
    assert logs.the_only("other") == "other"
    Instance("second").write(Record(placement=shiny_sandbox("second")))
    with pytest.raises(UsageError, match="several") as caught:
        logs.the_only(None)
    assert caught.value.details == "second, shiny"
    monkeypatch.setattr(logs, "instance_names", list)
    with pytest.raises(UsageError, match="no sandbox yet"):
        logs.the_only(None)
