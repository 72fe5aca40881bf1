"""Copies of whole seats before the day: counted where they can be, and refused elsewhere."""

from dataclasses import dataclass, replace

import pytest

from sandbox.errors import UsageError
from sandbox.providers import Registry
from sandbox.providers.members import Member
from sandbox.providers.place import Place
from sandbox.workflows.workshop.plan import plan_workshop
from tests.fakes.learners import Homes
from tests.unit.workflows.workshop.conftest import Classroom, SeatsProvider
from tests.unit.workflows.workshop.test_members import MEMBERS
from tests.unit.workflows.workshop.test_replicas import MORE, CopiedSeats


def test_where_they_make_no_sense_they_are_refused_with_the_line(classroom: Classroom) -> None:
    text = f"version: 1\nbox: shiny\nseats: 2\n{MORE}"
    with pytest.raises(UsageError) as refused:
        classroom.up(text)
    assert "class.workshop.yml:4: copies.seats: the provider keeps no" in refused.value.details
    assert not classroom.store.exists()


@dataclass
class PlannedProvider(SeatsProvider):
    """A provider that also says what its servers have."""

    def members(self, place: Place) -> tuple[Member, ...]:
        del place
        return self.of_class.members()


def test_plan_refuses_them_with_the_line_and_counts_them_elsewhere(classroom: Classroom) -> None:
    seats = CopiedSeats(member_names=MEMBERS, answer=Homes().answer)
    provider = PlannedProvider(classroom.engine, of_class=seats)
    context = replace(classroom.context, providers=Registry(("fake",), lambda _: provider))
    loaded = classroom.loaded(f"version: 1\nbox: shiny\nseats: 4\nspare: 2\n{MORE}")
    found = plan_workshop(loaded, context)
    assert found.fits
    assert [one.replicas for one in found.shares] == [2, 2, 2]
    seats.replicas().why_not = "there is one server"
    refused = plan_workshop(loaded, context).refusals
    assert len(refused) == 1
    assert refused[0].endswith("class.workshop.yml:5: copies.seats: there is one server")
