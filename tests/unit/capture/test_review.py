from pathlib import Path
from typing import Any

import pytest

from sandbox.capture.review import NotTaken, not_taken
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.subjects.configs import ConfigFile
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.units import UnitSettings
from sandbox.probe.keys import find_key
from sandbox.probe.script import Taking
from sandbox.probe.untaken import new_key, placeholder
from sandbox.workflows import capture as workflow
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

FACTS = good().facts
_KEY = new_key()
_HIDDEN = placeholder("geheim", _KEY)


def _facts(**environment: str) -> Facts:
    r = FACTS[RInstallations][0]
    views = tuple(
        one.model_copy(update={"environment": {**one.environment, **environment}})
        for one in r.views
    )
    return with_named(FACTS, r=(r.model_copy(update={"views": views}),))


def test_each_value_is_named_once_with_its_place_and_why() -> None:
    facts = with_named(
        _facts(SALES_DB=_HIDDEN, OMP_NUM_THREADS=_HIDDEN),
        configs=(
            ConfigFile(path="/etc/odbc.ini", settings={"sales.PWD": _HIDDEN}),
            ConfigFile(path="/usr/lib/R/etc/Rprofile.site", settings={"expression 1": _HIDDEN}),
        ),
        units=(UnitSettings(name="x.service", settings={"Environment.A": _HIDDEN}),),
    )
    assert set(not_taken(facts)) == {
        NotTaken("SALES_DB", "the environment of R", "1-8", "nothing is known of that name"),
        NotTaken(
            "OMP_NUM_THREADS",
            "the environment of R",
            "1-8",
            "it does not look as OMP_NUM_THREADS usually does",
        ),
        NotTaken("PWD", "/etc/odbc.ini", "1-8", "nothing is known of that name"),
        NotTaken(
            "expression 1", "/usr/lib/R/etc/Rprofile.site", "1-8", "a part of it is not known"
        ),
        NotTaken("A", "x.service", "1-8", "nothing is known of that name"),
    }


class _Server:
    """Hands out what was asked for by name."""

    def __init__(self) -> None:
        self.asked: list[Taking] = []

    def read(self, target: str, *, taking: Taking, **_: Any) -> Facts:
        self.asked.append(taking)
        assert taking.key is not None
        shown = "staging" if "SALES_DB" in taking.names else placeholder("staging", taking.key)
        return _facts(SALES_DB=shown).model_copy(update={"hash_key": taking.key.id})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Server:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    its = _Server()
    monkeypatch.setattr(workflow, "read_host", its.read)
    return its


def _capture(folder: Path, **options: Any) -> workflow.Captured:
    return workflow.capture("prod", folder / "prod.yml", Room(2, 2048), lambda _: None, **options)


def test_what_a_person_takes_from_the_list_is_taken_before_anything_is_written(
    server: _Server, tmp_path: Path
) -> None:
    shown: list[NotTaken] = []

    def review(left: Any) -> list[str]:
        assert not (tmp_path / "prod.yml").exists()
        shown.extend(left)
        return ["SALES_DB", "/etc/odbc.ini"]

    done = _capture(tmp_path, review=review)
    assert [one.name for one in shown] == ["SALES_DB"]
    assert [(one.names, one.files) for one in server.asked] == [
        ((), ()),
        (("SALES_DB",), ("/etc/odbc.ini",)),
    ]
    assert 'SALES_DB: "staging"' in done.box_path.read_text()
    assert done.not_taken == ()


def test_without_a_person_it_stays_and_the_box_asks_for_it(server: _Server, tmp_path: Path) -> None:
    done = _capture(tmp_path)
    assert "SALES_DB: {secret: SALES_DB}" in done.box_path.read_text()
    assert "staging" not in done.facts_path.read_text()
    # The key is kept, and stands in neither file
    (asked,) = server.asked
    assert asked.key is not None
    assert find_key(done.facts.hash_key) == asked.key
    assert asked.key.digits not in done.facts_path.read_text() + done.box_path.read_text()


def test_each_capture_has_a_key_of_its_own(server: _Server, tmp_path: Path) -> None:
    for _ in range(2):
        _capture(tmp_path, overwrite=True, take_names=["SALES_DB"])
    first, second = (one.key for one in server.asked)
    assert first != second
