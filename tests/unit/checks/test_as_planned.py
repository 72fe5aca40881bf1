"""A check and a diff say the same of a machine and its box, because both ask one comparison."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.checks import correct, snappy
from sandbox.checks.check import CannotLook
from sandbox.checks.live import Seen
from sandbox.facts.diff import compare
from sandbox.facts.differences import DiffOutcome
from sandbox.facts.hashes import NO_HASHES, Hashes
from sandbox.facts.sides import Side, side_of_plan
from sandbox.plan import Plan
from sandbox.probe.untaken import HashKey, new_key, placeholder, token
from sandbox.spec.values import RCode
from sandbox.workflows.compare import _key_for
from tests.unit.checks.samples import doctored, full_plan, good
from tests.unit.factories import placed

LOGIN = "facts.r.0.views.0"
KEY = new_key()


def plan_with(**parts: dict[str, Any]) -> Plan:
    """A plan with other values in its `system` and its `r`."""
    plan = full_plan()
    for name, update in parts.items():
        part = getattr(plan, name).model_copy(update=update)
        plan = plan.model_copy(update={name: part})
    return plan


def by_check(plan: Plan, seen: Seen, id_: str) -> bool:
    """Whether the check passes."""
    checks = (*correct.seen_checks(placed(plan)), *snappy.seen_checks(placed(plan)))
    return next(one for one in checks if one.id == id_).look(seen).ok


def by_diff(plan: Plan, seen: Seen, fact: str) -> bool:
    """Whether the diff of box and machine finds it equal; it must have been compared."""
    found = compare(side_of_plan(plan, seen.hashes), Side(name="it", facts=seen.facts)).facts
    (one,) = {
        one.outcome for one in found if one.id.partition("@")[0] == fact and _of_login(one.id)
    }
    assert one in (DiffOutcome.EQUAL, DiffOutcome.DIFFERS)
    return one is DiffOutcome.EQUAL


def _of_login(id_: str) -> bool:
    return "@" not in id_ or "login" in id_.partition("@")[2]


def environment(**values: str) -> dict[str, Any]:
    return {"environment": values}


CASES: list[tuple[str, str, Plan, dict[str, object], bool]] = [
    # R: the box names a series, and a later bug fix of it is no difference
    ("r.version.login", "r.version", full_plan(), {"version": "4.2.3"}, True),
    ("r.version.login", "r.version", full_plan(), {"version": "4.20.1"}, False),
    # Variables that two machines are not compared in: a box that sets one means it
    (
        "environment.HTTPS_PROXY.login",
        "r.environment.HTTPS_PROXY",
        plan_with(system=environment(HTTPS_PROXY="http://proxy:3128")),
        {"environment": {"HTTPS_PROXY": "http://proxy:3128"}},
        True,
    ),
    (
        "environment.EDITOR.login",
        "r.environment.EDITOR",
        plan_with(system=environment(EDITOR="nano")),
        {"environment": {"EDITOR": "vi"}},
        False,
    ),
    (
        "environment.DATA.login",
        "r.environment.DATA",
        plan_with(system=environment(DATA="/home/sandbox/data")),
        {"environment": {"DATA": "/home/sandbox/data", "HOME": "/home/sandbox"}},
        True,
    ),
    (
        "environment.MKL_NUM_THREADS.login",
        "r.threads.MKL_NUM_THREADS",
        plan_with(system=environment(MKL_NUM_THREADS="2")),
        {"environment": {"MKL_NUM_THREADS": "2"}},
        True,
    ),
    # Options by which R only shows things, and one that is not to be set
    (
        "r.option.editor.login",
        "r.option.editor",
        plan_with(r={"options": {"editor": "nano"}}),
        {"options": {"editor": '"nano"'}},
        True,
    ),
    (
        "r.option.gone.login",
        "r.option.gone",
        plan_with(r={"options": {"gone": RCode(r="NULL")}}),
        {"options": {"gone": "1"}},
        False,
    ),
    # Repositories: a slash at the end, also where only a hash of the address is known
    (
        "r.repo.CRAN.login",
        "r.repo.CRAN",
        plan_with(r={"repos": {"CRAN": "https://me:pLaNt3d@x.org/"}}),
        {"repos": {"CRAN": placeholder("https://me:pLaNt3d@x.org", KEY)}},
        True,
    ),
    # Limits
    ("limit.nproc.login", "r.processes", full_plan(), {"limits.nproc.soft": 4000}, False),
    ("limit.nofile.login", "r.limit.nofile", full_plan(), {"limits.nofile.soft": 16384}, True),
    # The zone has two names
    (
        "timezone.login",
        "r.timezone",
        plan_with(system={"timezone": "Etc/GMT"}),
        {"timezone": "GMT"},
        True,
    ),
    ("locale.login", "r.locale.LC_MESSAGES", full_plan(), {"locale.LC_MESSAGES": "C"}, False),
]


@pytest.mark.parametrize(
    ("check", "fact", "plan", "changes", "same"), CASES, ids=[f"{c[0]} {c[3]}"[:60] for c in CASES]
)
def test_of_r(check: str, fact: str, plan: Plan, changes: dict[str, object], same: bool) -> None:
    seen = doctored(good(), "hashes", Hashes(key=KEY.digits))
    for place, value in changes.items():
        seen = doctored(seen, f"{LOGIN}.{place}", value)
    assert by_check(plan, seen, f"correct.{check}") is same
    # Both views are asked: the app's R of the sample is as the plan wants, or it says nothing
    assert by_diff(plan, seen, fact) is same


@pytest.mark.parametrize(
    ("check", "fact", "place", "value", "same"),
    [
        ("snappy.memory", "machine.memory", "machine.memory_mb", 450, True),
        ("snappy.memory", "machine.memory", "machine.memory_mb", 560, False),
        ("snappy.cpus", "machine.cpus", "machine.cpus", 2, False),
        ("correct.os", "system.release", "os.codename", "trixie", False),
        ("correct.locale", "system.locale.LC_ALL", "locale.settings.LC_ALL", "C", False),
        ("correct.locale", "system.locale.LC_TIME", "locale.settings.LC_TIME", "en_US.utf8", True),
        ("correct.timezone", "system.timezone", "timezone.localtime_is_symlink", False, False),
    ],
)
def test_of_the_machine(check: str, fact: str, place: str, value: object, same: bool) -> None:
    seen = doctored(good(), f"facts.{place}", value)
    assert by_check(full_plan(), seen, check) is same
    assert by_diff(full_plan(), seen, fact) is same


def test_a_password_of_a_box_is_compared_with_a_machine_read_now_by_hash() -> None:
    plan = plan_with(system=environment(DB="pLaNt3d"))
    for value, outcome in (("pLaNt3d", DiffOutcome.EQUAL), ("another", DiffOutcome.DIFFERS)):
        seen = doctored(good(), f"{LOGIN}.environment", {"DB": placeholder(value, KEY)})
        machine = Side(name="it", facts=seen.facts)
        found = compare(side_of_plan(plan, Hashes(key=KEY.digits)), machine)
        (fact,) = [one for one in found.facts if one.id == "r.environment.DB@login"]
        assert fact.outcome is outcome
        assert "pLaNt3d" not in fact.model_dump_json()
        (fact,) = [
            one
            for one in compare(side_of_plan(plan, NO_HASHES), machine).facts
            if one.id == "r.environment.DB@login"
        ]
        assert fact.outcome is DiffOutcome.NOT_COMPARABLE


def test_each_value_is_hashed_once_however_many_checks_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hash is slow by design: checks of forty passwords would take a minute."""
    made: list[bytes] = []
    slow = hashlib.pbkdf2_hmac

    def counted(name: str, password: bytes, *rest: Any) -> bytes:
        made.append(password)
        return slow(name, password, *rest)

    values = {f"DB_{n}": f"pLaNt3d-{n}" for n in range(8)}
    plan = plan_with(system=environment(**values))
    hidden = {name: placeholder(value, KEY) for name, value in values.items()}
    seen = doctored(good(), "hashes", Hashes(key=KEY.digits))
    for view in (0, 1):
        seen = doctored(seen, f"facts.r.0.views.{view}.environment", hidden)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    token.cache_clear()
    for name in values:
        assert by_check(plan, seen, f"correct.environment.{name}.login")
        assert by_check(plan, seen, f"correct.environment.{name}.app")
    assert len(made) == len(values)


def test_hashes_by_a_key_that_is_not_here_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    facts = good().facts.model_copy(update={"hash_key": new_key().id})
    (tmp_path / "prod.facts.json").write_text(facts.model_dump_json())
    assert json.loads((tmp_path / "prod.facts.json").read_text())["hash_key"]
    assert _key_for(("box.yml", "prod.facts.json"), cwd=tmp_path) is None
    assert isinstance(_key_for(("box.yml", "host"), cwd=tmp_path), HashKey)


def test_what_no_r_says_cannot_be_judged() -> None:
    seen = doctored(good(), f"{LOGIN}.external_software", {})
    seen = doctored(seen, f"{LOGIN}.la_library", "")
    with pytest.raises(CannotLook, match="does not say which BLAS"):
        by_check(full_plan(), seen, "correct.r.blas.login")
