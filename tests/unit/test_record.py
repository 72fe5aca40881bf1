"""What a listing is told of a record: from its file, without the models."""

import json
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.placement import Placement
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.summary import Phase
from tests.unit.factories import plain_sandbox, shiny_sandbox


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize("placement", [shiny_sandbox(), plain_sandbox()])
def test_the_summary_in_the_file_is_that_of_the_record(placement: Placement) -> None:
    record = Record(placement=placement).advanced("created", phase=Phase.CREATED)
    instance = Instance(record.placement.name)
    instance.write(record)
    assert instance.summary() == record.summary
    assert record.summary.made_at == record.history[0].at
    assert record.summary.plan_key == record.placement.key


def test_what_is_not_there_has_no_summary() -> None:
    assert Instance("nothing").summary() is None


def test_a_record_written_before_there_were_summaries_is_listed_all_the_same() -> None:
    record = Record(placement=shiny_sandbox())
    instance = Instance("shiny")
    instance.write(record)
    saved = json.loads((instance.folder / "record.json").read_text())
    del saved["summary"]
    instance.write_text("record.json", json.dumps(saved))
    assert instance.summary() == record.summary


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"summary": {"name": "shiny"}}'])
def test_a_damaged_record_is_said_to_be_one(text: str) -> None:
    instance = Instance("shiny")
    instance.write_text("record.json", text)
    with pytest.raises(SandboxError, match="cannot be read") as caught:
        instance.summary()
    assert "sandbox destroy shiny" in caught.value.hint
