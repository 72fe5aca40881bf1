"""Values that the probe keeps to itself: compared by hash, and shown in no result."""

from typing import Any

import pytest

from sandbox.checks import correct
from sandbox.checks.check import CannotLook, Check
from sandbox.checks.live import Seen
from sandbox.checks.results import CheckResult, Goal, Outcome
from sandbox.facts.hashes import Hashes
from sandbox.plan import Plan
from sandbox.probe.untaken import new_key, placeholder, token
from sandbox.spec.values import OptionValue, RCode
from tests.unit.checks.samples import doctored, good
from tests.unit.factories import placed, secret_plan, shiny_plan

KEY, OTHER_KEY = new_key(), new_key()
SECRET = "pLaNt3d"
HASHES = Hashes(key=KEY.digits, secrets={"SALES_DB": token(SECRET, KEY)})
LOGIN = "facts.r.0.views.0"


def plain_plan() -> Plan:
    """Passwords in the box itself, as people write them."""
    plan = shiny_plan()
    system = plan.system.model_copy(update={"environment": {"DB": SECRET, "THREADS": "4"}})
    assert plan.r is not None
    r = plan.r.model_copy(
        update={"options": {"db": SECRET}, "repos": {"CRAN": f"https://u:{SECRET}@x.org/"}}
    )
    return plan.model_copy(update={"system": system, "r": r})


def check_of(plan: Plan, id_: str) -> Check[Seen]:
    return next(
        one for one in correct.seen_checks(placed(plan)) if one.id == f"correct.{id_}.login"
    )


def seen(place: str, value: object, hashes: Hashes = HASHES) -> Seen:
    return doctored(doctored(good(), f"{LOGIN}.{place}", value), "hashes", hashes)


def as_facts_have_it(place: str, text: str) -> str:
    """Options are R code there."""
    return f'"{text}"' if place == "options" else text


SECRET_CHECKS = [
    ("environment.SALES_DB", "environment", "SALES_DB"),
    ("r.option.sales.password", "options", "sales.password"),
]


@pytest.mark.parametrize(("id_", "place", "name"), SECRET_CHECKS)
@pytest.mark.parametrize(
    ("actual", "ok"),
    [
        (placeholder(SECRET, KEY), True),
        (placeholder("wrong", KEY), False),
        # Had it looked harmless, the probe would have given it as it is
        (SECRET, True),
        ("4", False),
    ],
)
def test_a_secret_is_compared_by_its_hash_and_never_shown(
    id_: str, place: str, name: str, actual: str, ok: bool
) -> None:
    check = check_of(secret_plan(), id_)
    look = check.look(seen(place, {name: as_facts_have_it(place, actual)}))
    assert look.ok is ok
    assert "compared by hash" in look.actual
    assert "<secret SALES_DB>" in check.expected
    for word in (SECRET, "#", "wrong", "4"):
        assert word not in f"{check.title} {check.expected} {check.fix} {look.actual}"


def test_a_secret_that_is_not_set_fails() -> None:
    look = check_of(secret_plan(), "environment.SALES_DB").look(seen("environment", {}))
    assert (look.ok, look.actual) == (False, "not set")


@pytest.mark.parametrize(
    ("actual", "hashes"),
    [
        (placeholder(SECRET), HASHES),
        ("<redacted>", HASHES),
        (placeholder(SECRET, KEY), Hashes(key=KEY.digits)),
        (placeholder(SECRET, KEY), Hashes()),
    ],
    ids=["no hash", "redacted", "nothing is known of what was given", "no key"],
)
def test_what_cannot_be_compared_is_an_error_and_no_pass(actual: str, hashes: Hashes) -> None:
    check = check_of(secret_plan(), "environment.SALES_DB")
    with pytest.raises(CannotLook, match="could not be compared"):
        check.look(seen("environment", {"SALES_DB": actual}, hashes))


PLAIN_CHECKS: list[tuple[str, str, dict[str, str], str]] = [
    ("environment.DB", "environment", {"DB": SECRET}, "DB="),
    ("r.option.db", "options", {"db": SECRET}, ""),
    ("r.repo.CRAN", "repos", {"CRAN": f"https://u:{SECRET}@x.org"}, ""),
]


@pytest.mark.parametrize(("id_", "place", "values", "prefix"), PLAIN_CHECKS)
@pytest.mark.parametrize("by_hash", [True, False])
def test_a_password_of_the_box_itself_is_compared_and_not_shown(
    id_: str, place: str, values: dict[str, str], prefix: str, by_hash: bool
) -> None:
    check = check_of(plain_plan(), id_)
    ((name, value),) = values.items()
    for text, ok in ((value, True), (f"{value}-other", False)):
        actual = placeholder(text, KEY) if by_hash else text
        look = check.look(seen(place, {name: as_facts_have_it(place, actual)}))
        assert look.ok is ok
        assert look.actual.startswith(f"{prefix}<not taken: ")
        shown = f"{check.title} {check.expected} {look.actual}"
        assert SECRET not in shown
        assert "#" not in shown
    assert check.expected.startswith(f"{prefix}<not taken: ")


def test_what_is_harmless_is_shown_on_both_sides() -> None:
    check = check_of(plain_plan(), "environment.THREADS")
    look = check.look(seen("environment", {"THREADS": "8"}))
    assert (check.expected, look.ok, look.actual) == ("THREADS=4", False, "THREADS=8")


def test_a_value_hashed_by_another_key_is_another_value() -> None:
    look = check_of(plain_plan(), "environment.DB").look(
        seen("environment", {"DB": placeholder(SECRET, OTHER_KEY)})
    )
    assert not look.ok


def test_no_result_has_a_hash() -> None:
    hashed = placeholder("x", KEY)
    result = CheckResult(
        id="a", goal=Goal.CORRECT, title="t", outcome=Outcome.FAILED, expected=hashed, actual=hashed
    )
    assert "#" not in result.model_dump_json()
    assert result.actual == "<not taken: 1-8 characters>"


def test_hashes_do_not_show_themselves() -> None:
    found: dict[str, Any] = HASHES.model_dump()
    assert found["key"] not in repr(HASHES)
    assert found["secrets"]["SALES_DB"] not in repr(HASHES)


@pytest.mark.parametrize(
    ("planned", "actual", "ok"),
    [
        (1e9, "1000000000", True),
        (1e9, '"1e9"', False),
        ("1e9", '"1e9"', True),
        ("1e9", "1000000000", False),
        (("contr.sum", "contr.poly"), 'c("contr.sum", "contr.poly")', True),
        (("contr.sum", "contr.poly"), '"contr.sum, contr.poly"', False),
        (True, '"TRUE"', False),
        (7, "7", False),
        (RCode(r="c(a = 1)"), "c(a = 1)", True),
        (RCode(r="c(a = 1)"), "1", False),
        (RCode(r="NULL"), "1", False),
        (RCode(r="function(x) x"), "function(x) x", True),
    ],
)
def test_an_option_of_another_type_is_another_value(
    planned: OptionValue, actual: str, ok: bool
) -> None:
    plan = plain_plan()
    assert plan.r is not None
    r = plan.r.model_copy(update={"options": {"my.x": planned}})
    check = check_of(plan.model_copy(update={"r": r}), "r.option.my.x")
    assert check.look(seen("options", {"my.x": actual})).ok is ok


def test_an_option_that_is_unset_is_not_set() -> None:
    plan = plain_plan()
    assert plan.r is not None
    r = plan.r.model_copy(update={"options": {"my.x": RCode(r="NULL")}})
    look = check_of(plan.model_copy(update={"r": r}), "r.option.my.x").look(seen("options", {}))
    assert (look.ok, look.actual) == (True, "not set")
