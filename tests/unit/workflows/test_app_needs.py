"""What `up` says of the apps' code before anything starts."""

from pathlib import Path

import pytest

from sandbox.errors import BoxError, ExitCode
from sandbox.plan import Plan
from sandbox.record import Record
from sandbox.resolving import resolve
from sandbox.spec.load import load_box
from sandbox.state import Instance, locked
from sandbox.summary import Phase
from sandbox.workflows.app_needs import refuse_unmet_needs
from tests.unit.factories import placed
from tests.unit.workflows.conftest import Bench

BOX = """version: 1
base: debian-12
r: {packages: {names: [shiny]}}
services: {shiny_server: {}}
apps: [{name: sales, path: app}]
"""


def planned(folder: Path, code: str, text: str = BOX) -> Plan:
    (folder / "app").mkdir(exist_ok=True)
    (folder / "app" / "app.R").write_text(code)
    (folder / "sales.yml").write_text(text)
    return resolve(load_box(folder / "sales.yml"))


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def test_a_package_that_one_line_mends_ends_it_before_anything_starts(
    tmp_path: Path, bench: Bench
) -> None:
    plan = planned(tmp_path, "library(shiny)\nlibrary(DT)\nf <- function() dplyr::n()\n")
    with pytest.raises(BoxError) as caught:
        refuse_unmet_needs(placed(plan), bench.context)
    error = caught.value
    assert error.exit_code == ExitCode.BOX
    assert error.message == (
        "the apps need an R package that `sales` does not give: nothing was started"
    )
    assert error.details == (
        "app/app.R:2: app sales: `library(DT)`: the box does not name the R package `DT`"
    )
    assert error.hint == "make it `names: [shiny, DT, dplyr]` in sales.yml:3"
    mended = BOX.replace("[shiny]", "[shiny, DT, dplyr]")
    bench.events.clear()
    refuse_unmet_needs(
        placed(planned(tmp_path, (tmp_path / "app/app.R").read_text(), mended)), bench.context
    )
    assert bench.notices() == []


def test_a_wrong_letter_in_the_app(tmp_path: Path, bench: Bench) -> None:
    with pytest.raises(BoxError) as caught:
        refuse_unmet_needs(placed(planned(tmp_path, "library(ggplt2)\n")), bench.context)
    assert caught.value.details.endswith("Perhaps you meant `ggplot2`?")
    assert caught.value.hint == "mend app/app.R:1"


@pytest.mark.parametrize(
    "code",
    [
        "f <- function() DT::datatable(cars)\n",
        "if (require(DT)) 1\n",
        ".libPaths('mine')\nlibrary(DT)\n",
        # Nothing can be done about it in the box: the app itself will tell
        "library(polished)\n",
    ],
)
def test_what_may_go_well_is_told_and_goes_on(tmp_path: Path, bench: Bench, code: str) -> None:
    refuse_unmet_needs(placed(planned(tmp_path, code)), bench.context)
    (notice,) = bench.notices()
    assert notice.startswith("app/app.R:")


def test_of_a_machine_that_has_these_apps_nothing_is_said(tmp_path: Path, bench: Bench) -> None:
    plan = planned(tmp_path, "library(DT)\n")
    with locked("sales") as instance:
        instance.write(Record(placement=placed(plan), phase=Phase.PROVISIONED))
    refuse_unmet_needs(placed(plan), bench.context)
    assert bench.notices() == []
    with pytest.raises(BoxError):
        refuse_unmet_needs(placed(planned(tmp_path, "1\nlibrary(DT)\n")), bench.context)


def test_a_box_file_that_has_gone(tmp_path: Path, bench: Bench) -> None:
    plan = planned(tmp_path, "library(DT)\n")
    plan.box_path.unlink()
    refuse_unmet_needs(placed(plan), bench.context)
    assert Instance("sales").exists() is False
