"""A machine that no longer lets our login key in, and one whose key is damaged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.errors import CommandError
from sandbox.events import Listener, Notice
from sandbox.providers.fake import FakeEngine
from sandbox.run import Completed
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from tests.fakes.guest import FakeGuest
from tests.unit.factories import shiny_plan, shiny_sandbox
from tests.unit.workflows.conftest import Bench


class RenewingEngine(FakeEngine):
    """One that can give a machine a key from outside."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys: list[str] = []

    def renew_login(self, name: str, authorized_key: str, listener: Listener) -> None:
        del name, listener
        self.keys.append(authorized_key)


@dataclass(frozen=True)
class Target(SshTarget):
    """The way in; ssh says `words`, or nothing."""

    words: str = ""

    def run(self, command: Sequence[str], **_: object) -> Completed:
        if self.words:
            raise CommandError("`ssh` failed", returncode=255, stderr=self.words)
        return Completed(tuple(command), 0, "", "", 0.1)


class LockedOut(FakeGuest):
    """Whose machine answers our key with `words`."""

    words = ""

    def login(self) -> SshTarget:
        return Target(self.name, words=self.words)


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
def test_our_key_is_put_back_where_it_does_not_get_in(
    bench: Bench, tmp_path: Path, whole: bool, words: str, restored: bool
) -> None:
    engine = RenewingEngine(tmp_path)
    bench.has_whole_key = whole
    placement, instance = shiny_sandbox(), Instance("shiny")
    guest = LockedOut(placement, instance, engine, bench.events.append, bench)
    guest.words = words
    guest.restore_login()
    assert engine.keys == (["ssh-ed25519 AAAA"] if restored else [])
    said = [event.text for event in bench.events if isinstance(event, Notice)]
    assert len(said) == int(restored)


def test_a_damaged_key_is_no_machine_that_needs_nothing(bench: Bench) -> None:
    bench.up(shiny_plan())
    assert bench.up(shiny_plan()).unchanged
    bench.has_whole_key = False
    assert not bench.up(shiny_plan()).unchanged
