"""The subjects as a whole: nothing lists them, and each is in the probe once."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from sandbox.facts import registry
from sandbox.facts.answer import parse_answer
from sandbox.facts.collect import compose
from sandbox.facts.diff import compare
from sandbox.facts.differences import DiffOutcome, Selection
from sandbox.facts.facts import OLDER, Facts, NotSeen
from sandbox.facts.files import load_facts
from sandbox.facts.part import NotSeenError, ValuePart
from sandbox.facts.sides import Side, side_of_plan
from sandbox.facts.subjects.fonts import Fonts
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.r import RInstallations
from sandbox.probe.frame import read_frame
from sandbox.probe.known import known
from sandbox.probe.script import PHASES
from tests.new_subject import moon
from tests.unit.checks.samples import full_plan
from tests.unit.facts.conftest import recorded

_FORMAT_4 = Path(__file__).with_name("data") / "format4"
_OF_R = frozenset({"r-view", "r-failed"})


@pytest.mark.parametrize("name", ["worker", "plain", "broken"])
def test_a_file_of_format_4_is_read_and_written_as_it_was(name: str) -> None:
    path = _FORMAT_4 / f"{name}.json"
    read = load_facts(path)
    # Of subjects that are newer than the file it is said that they are
    told = tuple(one for one in read.not_seen if one.why != OLDER)
    facts = read.model_copy(update={"not_seen": told})
    before = json.loads(path.read_text())
    assert json.dumps(_in(before, json.loads(facts.model_dump_json()))) == json.dumps(before)
    assert facts == parse_answer(read_frame(recorded(name), "BOUNDARY"))


def test_what_became_known_later_is_a_part_of_its_own() -> None:
    """A field that an older file lacks would be a difference that no machine has."""
    fields = json.loads((_FORMAT_4.parent / "fields_of_format4.json").read_text())
    models = Facts.part_models()
    parts = {name: _row(models[name]) for name in fields if name in models}
    assert len(parts) > 15
    for name, model in parts.items():
        assert set(model.model_fields) == set(fields[name]), name


def _row(part: type[BaseModel]) -> type[BaseModel]:
    """The model itself; of a list that of its items."""
    if not issubclass(part, ValuePart):
        return part
    of_items: type[BaseModel] = get_args(part.model_fields["root"].annotation)[0]
    return of_items


def _in(before: Any, now: Any) -> Any:
    """What is written now, without subjects newer than the file: of them nothing is known."""
    if isinstance(before, dict) and isinstance(now, dict):
        assert {key for key in now if now[key] is not None} <= set(before)
        return {key: _in(before[key], value) for key, value in now.items() if key in before}
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [_in(*pair) for pair in zip(before, now, strict=True)]
    return now


def test_what_a_file_does_not_know_was_not_seen() -> None:
    known = json.loads((_FORMAT_4 / "worker.json").read_text())
    del known["fonts"]
    facts = Facts.model_validate(known)
    assert facts.get(Fonts) is None
    assert NotSeen(what="fonts", why=OLDER) in facts.not_seen
    with pytest.raises(NotSeenError, match=OLDER):
        facts[Fonts]
    # It is said once, however often the file is read and written
    again = Facts.model_validate_json(facts.model_dump_json())
    assert again == facts
    older, newer = Side(name="old", facts=facts), Side(name="new", facts=facts)
    (fact,) = compare(older, newer, Selection(only=("fonts",))).facts or (None,)
    assert fact is not None
    assert (fact.outcome, fact.note) == (DiffOutcome.UNREADABLE, f"old: {OLDER}; new: {OLDER}")


def test_a_file_without_what_every_machine_has_is_none() -> None:
    known = json.loads((_FORMAT_4 / "worker.json").read_text())
    for name in Facts.required_parts():
        with pytest.raises(ValueError, match=f"(?m)^{name}$"):
            Facts.model_validate({key: value for key, value in known.items() if key != name})


def test_a_problem_in_a_part_says_where() -> None:
    known = json.loads((_FORMAT_4 / "worker.json").read_text())
    known["os"]["version"] = ["12"]
    with pytest.raises(ValueError, match=r"(?m)^os\.version$"):
        Facts.model_validate(known)


@pytest.mark.parametrize("odd", [{"not_seen": 5}, {"parts": [1]}, {"parts": []}, {"nosuch": 1}])
def test_what_is_no_facts_file_is_refused(odd: dict[str, object]) -> None:
    known = json.loads((_FORMAT_4 / "worker.json").read_text())
    del known["fonts"]
    with pytest.raises(ValueError, match=f"(?m)^{next(iter(odd))}"):
        Facts.model_validate_json(json.dumps(known | odd))


def test_a_box_may_ask_by_the_names_in_the_file() -> None:
    """As checks of a box's own have it: `facts.os.codename`."""
    facts = load_facts(_FORMAT_4 / "worker.json")
    assert getattr(facts, "os") is facts[Os]  # noqa: B009  (mypy knows no such attribute)
    assert getattr(facts, "tools") is None  # noqa: B009
    assert not hasattr(facts, "nosuch")


def test_every_section_is_printed_by_one_subject() -> None:
    fragments = registry.fragments().shell
    printed = [
        (name, one.subject)
        for one in fragments
        for name in set(re.findall(r"\b(?:config_)?section ([a-z][a-z-]*)\b", one.text))
        if name != "not-seen"
    ]
    names = [name for name, _ in printed]
    # The kernel's tables have the names of its files
    wanted = {name for name in registry.sections() if not name.startswith("proc-net-")}
    assert sorted(names) == sorted(wanted - {"run", "root", "root-end", "not-seen"})


def test_the_script_has_every_fragment_once() -> None:
    # Once for the login, and once more within quotes, for root
    text = compose("BOUNDARY").partition("PROBE_ROOT=")[2]
    for one in registry.fragments().shell:
        functions = re.findall(r"^(\w+)\(\) \{$", one.text, re.MULTILINE)
        assert functions, one.subject
        for function in functions:
            assert len(re.findall(rf"^{function}\(\) {{$", text, re.MULTILINE)) == 2, function
        phases = [phase for phase in PHASES if f"{one.subject}_{phase}" in functions]
        for phase in phases:
            assert text.count(f'\n    {one.subject}_{phase} "$@"\n') == 2, phase
        assert phases or one.subject == "r"


def test_a_new_subject_is_one_file_and_its_fragments(tmp_path: Path) -> None:
    before = load_facts(_FORMAT_4 / "worker.json")
    with moon(tmp_path):
        text = compose("BOUNDARY")
        assert text.count("\nmoon_at_once() {\n") == 2
        assert 'attempt("moon", say("moon", "waning"))' in text
        assert 'FACTS["moon"] = "phase"' in text
        assert known("fact", "phase", "waning", of_facts=registry.fragments().names)
        answer = recorded("worker").replace(
            "BOUNDARY\tsection\tlocaltime\n",
            "BOUNDARY\tsection\tmoon\nphase\twaning\n\nBOUNDARY\tsection\tlocaltime\n",
            1,
        )
        answer = answer.replace(
            "BOUNDARY\tfact\tumask", "BOUNDARY\tfact\tmoon\twaning\nBOUNDARY\tfact\tumask"
        )
        facts = parse_answer(read_frame(answer, "BOUNDARY"))
        written = json.loads(facts.model_dump_json())
        assert written["moon"] == {"phase": "waning"}
        assert written["r"][0]["views"][0]["moon"] == {"phase": "waning"}
        assert Facts.model_validate_json(facts.model_dump_json()) == facts
        only = Selection(only=("moon", "r.moon"))
        found = compare(Side(name="prod", facts=facts), side_of_plan(full_plan()), only)
        outcomes = {one.id: (one.outcome, one.a, one.b) for one in found.facts}
        assert outcomes["moon"] == (DiffOutcome.DIFFERS, "waning", "full")
        # Facts of before say nothing of it, and say so
        old = Facts.model_validate_json((_FORMAT_4 / "worker.json").read_text())
        assert NotSeen(what="moon", why=OLDER) in old.not_seen
        found = compare(Side(name="old", facts=old), Side(name="new", facts=facts), only)
        notes = {one.id: (one.outcome, one.note) for one in found.facts}
        assert notes["moon"] == (DiffOutcome.UNREADABLE, f"old: {OLDER}")
        assert notes["r.moon"] == (DiffOutcome.UNREADABLE, f"old: {OLDER}")
    assert load_facts(_FORMAT_4 / "worker.json") == before
    assert "moon" not in compose("BOUNDARY")
    assert len(before[RInstallations]) == 1
