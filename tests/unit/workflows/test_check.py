"""What `check` says before it begins."""

import pytest

from sandbox.errors import UsageError
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows import check
from tests.unit.factories import shiny_plan
from tests.unit.workflows.conftest import Bench


@pytest.mark.parametrize("phase", [Phase.PLANNED, Phase.CREATED])
def test_a_machine_that_is_not_finished_is_told_of_in_one_line(bench: Bench, phase: Phase) -> None:
    Instance("shiny").write(Record(plan=shiny_plan(), phase=phase))
    with pytest.raises(UsageError, match="shiny is not finished") as caught:
        check.check("shiny", context=bench.context)
    assert (caught.value.hint, caught.value.details) == ("sandbox up shiny", "")
    # Nobody was asked anything
    assert bench.engine.calls == []


def test_one_that_is_finished_and_stopped_is_told_so(bench: Bench) -> None:
    bench.up(shiny_plan())
    bench.engine.stop("shiny", timeout_s=1)
    with pytest.raises(UsageError, match="does not run"):
        check.check("shiny", context=bench.context)
