"""A machine against the facts of production: what passes, what fails, and what is said then."""

import dataclasses
from pathlib import Path

import pytest

from sandbox.checks.check import CannotLook, Check
from sandbox.checks.live import Seen
from sandbox.checks.production import seen_checks
from sandbox.facts.subjects.timezone import Timezone
from sandbox.plan import Plan
from sandbox.spec.models import Accepted
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import full_plan, good
from tests.unit.factories import placed

WHERE = Path("/boxes/my prod.facts.json")


def planned(*accept: Accepted) -> Plan:
    return full_plan().model_copy(update={"production": WHERE, "accept": accept})


def there(timezone: str) -> Seen:
    """What was seen here, and a production in that timezone."""
    seen = good()
    zone = seen.facts[Timezone].model_copy(update={"name": timezone})
    production = with_named(seen.facts, timezone=zone)
    return dataclasses.replace(seen, production=production)


def check_of(plan: Plan, kind: str) -> Check[Seen]:
    return next(one for one in seen_checks(placed(plan)) if one.id == f"correct.production.{kind}")


def test_a_box_without_production_has_no_such_checks() -> None:
    assert list(seen_checks(placed(full_plan()))) == []


def test_what_is_alike_passes() -> None:
    look = check_of(planned(), "system.timezone").look(there("Europe/Vienna"))
    assert (look.ok, look.actual) == (True, "1 equal")


def test_what_differs_fails_with_both_values_and_the_command_that_shows_more() -> None:
    check = check_of(planned(), "system.timezone")
    look = check.look(there("Pacific/Chatham"))
    assert not look.ok
    assert "Pacific/Chatham there, Europe/Vienna here" in look.actual
    assert check.fix.startswith("sandbox diff '/boxes/my prod.facts.json' ")


def test_what_is_accepted_passes_and_says_why() -> None:
    accepted = Accepted(fact="system.timezone", why="the course is in Vienna")
    look = check_of(planned(accepted), "system.timezone").look(there("Pacific/Chatham"))
    assert look.ok
    assert "the course is in Vienna" in look.actual


def test_without_the_facts_nothing_is_called_equal() -> None:
    with pytest.raises(CannotLook, match="could not be read"):
        check_of(planned(), "system.timezone").look(good())
