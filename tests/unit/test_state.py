"""The instance's folder: whole records, a lock that holds, and nothing left after destroy."""

import json
import os
from pathlib import Path

import pytest

from sandbox.errors import BusyError, SandboxError, UsageError
from sandbox.record import Record
from sandbox.state import Instance, instance_names, locked
from sandbox.summary import Phase
from tests.unit.factories import shiny_sandbox


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_record_survives_the_trip_to_disk() -> None:
    record = Record(placement=shiny_sandbox()).advanced(
        "created", phase=Phase.CREATED, note="image x"
    )
    with locked("shiny") as instance:
        instance.write(record)
    assert Instance("shiny").read() == record
    assert instance_names() == ["shiny"]


def test_files_are_for_their_owner_alone() -> None:
    with locked("shiny") as instance:
        instance.write(Record(placement=shiny_sandbox()))
    assert (instance.folder / "record.json").stat().st_mode & 0o777 == 0o600
    assert instance.folder.stat().st_mode & 0o777 == 0o700


def test_a_write_that_fails_leaves_the_old_record(monkeypatch: pytest.MonkeyPatch) -> None:
    old = Record(placement=shiny_sandbox())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with locked("shiny") as instance:
        instance.write(old)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            instance.write(old.advanced("changed"))
    assert Instance("shiny").read() == old
    assert [path.name for path in instance.folder.iterdir()] == ["record.json"]


def test_a_second_command_is_told_who_holds_the_lock() -> None:
    with locked("shiny"), pytest.raises(BusyError) as caught, locked("shiny"):
        pass
    assert f"process {os.getpid()}" in caught.value.details
    assert caught.value.hint


def test_different_sandboxes_do_not_wait_for_each_other() -> None:
    with locked("one") as one, locked("two") as two:
        assert one.name != two.name


def test_a_lock_file_left_by_a_dead_process_is_no_lock(own_state: Path) -> None:
    path = own_state / "sandbox" / "locks" / "shiny.lock"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"pid": 1, "command": "up", "since": "long ago"}) * 3)
    with locked("shiny") as instance:
        instance.write(Record(placement=shiny_sandbox()))
    assert json.loads(path.read_text())["pid"] == os.getpid()


def test_nothing_is_left_when_the_folder_is_gone(own_state: Path) -> None:
    with locked("shiny") as instance:
        instance.write(Record(placement=shiny_sandbox()))
        instance.remove()
    assert not list((own_state / "sandbox" / "locks").iterdir())
    assert instance_names() == []


def test_an_unknown_name_gets_near_ones() -> None:
    with locked("shiny") as instance:
        instance.write(Record(placement=shiny_sandbox()))
    with pytest.raises(UsageError) as caught:
        Instance("shinny").require()
    assert "`shiny`" in caught.value.details


def test_a_damaged_record_says_how_to_go_on() -> None:
    with locked("shiny") as instance:
        instance.write_text("record.json", "{")
    with pytest.raises(SandboxError, match="cannot be read") as caught:
        Instance("shiny").read()
    assert "sandbox destroy shiny" in caught.value.hint


def test_history_is_bounded() -> None:
    record = Record(placement=shiny_sandbox())
    for number in range(500):
        record = record.advanced(f"step {number}")
    assert len(record.history) == 200
    assert record.history[-1].what == "step 499"
