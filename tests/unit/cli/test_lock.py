"""`sandbox lock`: what its options may be together, and what it says."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.box_lock.text import lock_text
from sandbox.cli.app import program
from sandbox.cli.complete import complete_box, complete_export, complete_sbom
from sandbox.errors import UsageError
from sandbox.resolving import resolve
from sandbox.spec.load import load_box
from sandbox.spec.mirrors import Mirrors
from sandbox.workflows.lock_inputs import inputs_of, machine_title
from tests.unit.box_lock.made import box_lock, machine

BOX = "version: 1\nbase: debian-12\n"


def run(*words: str) -> str:
    done = CliRunner().invoke(program(["lock"]), ["lock", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SANDBOX_PROVIDER", "incus")
    path = tmp_path / "x.yml"
    path.write_text(BOX)
    plan = resolve(load_box(path), Mirrors())
    lock = box_lock().model_copy(
        update={"machines": {machine_title(plan): machine(inputs=inputs_of(plan))}}
    )
    (tmp_path / "x.lock.yml").write_text(lock_text(lock))
    return path


def test_a_lock_that_fits_as_json(box: Path) -> None:
    said = json.loads(run("--check", "--json", str(box)))
    assert (said["date"], said["changed"], said["packages"]) == ("2026-11-27", False, 1)
    assert (said["base_packages"], said["base_packages_without_checksum"]) == (3, 2)


def test_a_bill_of_materials_on_stdout_and_in_a_file(box: Path, tmp_path: Path) -> None:
    text = run("--sbom", "cyclonedx", str(box))
    assert json.loads(text)["bomFormat"] == "CycloneDX"
    file = tmp_path / "x.cdx.json"
    assert run("--sbom", "cyclonedx", "-o", str(file), str(box)) == ""
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--check", "--sbom", "cyclonedx"), "--check and --sbom do not go together"),
        (("--upgrade", "ab", "--export", "renv"), "--upgrade and --export do not go"),
        (("-o", "x"), "-o is for exports"),
        (("--export", "pak"), "there is no form `pak`"),
    ],
)
def test_options_that_do_not_go_together(box: Path, words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        run(*words, str(box))


def test_forms_are_completed() -> None:
    assert (complete_export("r"), complete_sbom(""), complete_sbom("x")) == (
        ["renv"],
        ["cyclonedx"],
        [],
    )


def test_a_lock_is_not_completed_as_a_box(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(box.parent)
    assert [one for one in complete_box("x") if one.startswith("x")] == ["x.yml"]
