"""What a user installs: the wheel alone, in an environment of its own, outside any checkout."""

import json
import sys
import sysconfig
from pathlib import Path

import pytest

from sandbox.errors import CommandError
from sandbox.run import run
from tests.conftest import ROOT, cannot_run

pytestmark = pytest.mark.slow

PLAN = """\
import sys
from pathlib import Path
from sandbox.paths import data_dir
from sandbox.placement import Placement, place
from sandbox.resolving import resolve
from sandbox.render import rendered_files
from sandbox.spec.catalogue import find_box
from sandbox.spec.load import load_box

path = find_box("shiny", cwd=Path.cwd())
assert path.is_relative_to(sys.prefix), path
for kind in ("boxes", "templates", "playbooks"):
    assert data_dir(kind).is_relative_to(sys.prefix), kind
placement = place(resolve(load_box(path)), provider="incus")
assert Placement.model_validate_json(placement.model_dump_json()) == placement
assert any("shiny-server" in file.content for file in rendered_files(placement))
print(placement.plan.model_dump_json())
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it, and only the dependencies taken from here."""
    folder = tmp_path_factory.mktemp("wheel")
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT]
    try:
        run(build, timeout_s=300)
    except CommandError as error:
        if "Could not find a version" in error.stdout + error.stderr:
            cannot_run("the build's own dependencies cannot be fetched")
        raise
    (wheel,) = folder.glob("*.whl")
    venv = folder / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", venv], timeout_s=120)
    python = venv / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run([*pip, "--no-deps", "--no-index", wheel], timeout_s=120)
    # Dependencies from where these tests run: a .pth inside a folder that a .pth adds is not read,
    # so the editable installation of the checkout does not come along
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder, as a new user has."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_shipped_boxes_come_along(environment: Path, elsewhere: Path) -> None:
    said = run([environment / "bin" / "sandbox", "boxes", "--json"], timeout_s=60, cwd=elsewhere)
    listed = json.loads(said.stdout)
    assert [box["name"] for box in listed] == ["r-4.0", "r-4.5", "r", "shiny"]
    for box in listed:
        assert box["valid"]
        assert Path(box["path"]).is_relative_to(environment)


def test_a_shipped_box_is_valid_by_its_name(environment: Path, elsewhere: Path) -> None:
    said = run([environment / "bin" / "sandbox", "validate", "shiny"], timeout_s=60, cwd=elsewhere)
    assert said.stdout.endswith(": valid (debian-12, R 4.2.2)\n")


def test_a_box_of_ones_own_extends_a_shipped_one(environment: Path, elsewhere: Path) -> None:
    (elsewhere / "mine.yml").write_text("extends: shiny\nmachine: {cpus: 1}\n")
    said = run([environment / "bin" / "sandbox", "validate"], timeout_s=60, cwd=elsewhere)
    assert said.stdout == "mine.yml: valid (debian-12, R 4.2.2)\n"


def test_a_box_is_planned_and_rendered_from_what_the_wheel_holds(
    environment: Path, elsewhere: Path
) -> None:
    python = environment / "bin" / "python"
    said = run([python, "-I", "-c", PLAN], timeout_s=60, cwd=elsewhere)
    plan = json.loads(said.stdout)
    assert plan["apps"][0]["name"] == "faithful"
    assert "shiny-server" in plan["apt_packages"]
    assert Path(plan["apps"][0]["path"], "app.R").is_file()


def test_a_first_box_for_an_app_of_ones_own(environment: Path, elsewhere: Path) -> None:
    (elsewhere / "sales").mkdir()
    (elsewhere / "sales" / "app.R").write_text("library(shiny)\nlibrary(DT)\n")
    command = environment / "bin" / "sandbox"
    assert run([command, "init", "sales"], timeout_s=60, cwd=elsewhere).stdout == "sales.yml\n"
    said = run([command, "validate", "sales.yml"], timeout_s=60, cwd=elsewhere)
    assert said.stdout == "sales.yml: valid (debian-12, R 4.2.2)\n"
    (elsewhere / "sales" / "app.R").write_text("library(shiny)\nlibrary(ggplt2)\n")
    wrong = run([command, "validate", "sales.yml"], timeout_s=60, cwd=elsewhere, check=False)
    assert wrong.returncode == 3
    assert "sales/app.R:2" in wrong.stderr
    assert "Perhaps you meant `ggplot2`?" in wrong.stderr
