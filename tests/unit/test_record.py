"""What a listing is told of a record: from its file, without the models."""

import json
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.summary import Phase
from tests.unit.factories import plain_plan, shiny_plan


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize("plan", [shiny_plan(), plain_plan()])
def test_the_summary_in_the_file_is_that_of_the_record(plan: object) -> None:
    record = Record.model_validate({"plan": plan}).advanced("created", phase=Phase.CREATED)
    instance = Instance(record.plan.name)
    instance.write(record)
    assert instance.summary() == record.summary
    assert record.summary.made_at == record.history[0].at
    assert record.summary.plan_key == record.plan.key


def test_what_is_not_there_has_no_summary() -> None:
    assert Instance("nothing").summary() is None


def test_a_record_written_before_there_were_summaries_is_listed_all_the_same() -> None:
    record = Record(plan=shiny_plan())
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
