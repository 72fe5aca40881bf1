"""A machine that no longer lets our login key in, and one whose key is damaged."""

import pytest

from sandbox.errors import CommandError
from sandbox.events import Listener, Notice
from sandbox.state import Instance
from sandbox.workflows import login_key
from tests.unit.factories import shiny_plan
from tests.unit.workflows.conftest import Bench


class RenewingEngine:
    """One that can give a machine a key from outside."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def renew_login(self, name: str, authorized_key: str, listener: Listener) -> None:
        del name, listener
        self.keys.append(authorized_key)


class Target:
    """The way in; ssh says `words`, or nothing."""

    def __init__(self, words: str) -> None:
        self.words = words

    def run(self, *_: object, **__: object) -> None:
        if self.words:
            raise CommandError("`ssh` failed", returncode=255, stderr=self.words)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> RenewingEngine:
    monkeypatch.setattr(login_key, "make_key", lambda _: "ssh-ed25519 NEW")
    return RenewingEngine()


@pytest.mark.parametrize(
    ("whole", "words", "restored"),
    [
        (True, "", False),
        (True, "sandbox@10.0.0.2: Permission denied (publickey).", True),
        # That is another fault, and another cure
        (True, "Host key verification failed.", False),
        (False, "", True),
    ],
)
def test_our_key_is_put_back_where_it_does_not_get_in(  # noqa: PLR0917  (three cases, two fixtures)
    bench: Bench,
    engine: RenewingEngine,
    monkeypatch: pytest.MonkeyPatch,
    whole: bool,
    words: str,
    restored: bool,
) -> None:
    monkeypatch.setattr(login_key, "has_whole_key", lambda _: whole)
    monkeypatch.setattr(login_key, "connect", lambda *_: Target(words))
    login_key.restore_login(Instance("shiny"), engine, bench.events.append)  # type: ignore[arg-type]
    assert engine.keys == (["ssh-ed25519 NEW"] if restored else [])
    said = [event.text for event in bench.events if isinstance(event, Notice)]
    assert len(said) == int(restored)


def test_a_damaged_key_is_no_machine_that_needs_nothing(bench: Bench) -> None:
    bench.up(shiny_plan())
    assert bench.up(shiny_plan()).unchanged
    bench.has_whole_key = False
    assert not bench.up(shiny_plan()).unchanged
