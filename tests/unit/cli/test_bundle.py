"""`sandbox bundle`: its words, what verify says, and that up refuses what is broken."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sandbox.bundle.errors import BrokenBundleError
from sandbox.cli.app import program
from sandbox.cli.complete import complete_bundle, complete_up
from sandbox.errors import UsageError
from tests.unit.bundle.made import bundle, manifest


def run(*words: str) -> str:
    done = CliRunner().invoke(program([words[0]]), list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SANDBOX_PROVIDER", "incus")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.sandbox"
    path.write_bytes(bundle())
    return path


def test_a_whole_bundle(file: Path) -> None:
    assert "x.sandbox is whole: x on debian-12 f0f0f0f0f0f0 (fake), 6 files" in run(
        "bundle", "verify", "x.sandbox"
    )


def test_a_whole_bundle_as_json(file: Path) -> None:
    done = CliRunner().invoke(program(["bundle"]), ["bundle", "verify", str(file), "--json"])
    said = json.loads(done.stdout)
    assert (said["ok"], said["problems"], said["box"], said["blobs"]) == (True, [], "x", 6)
    assert said["sandbox"] == manifest().sandbox


def test_a_broken_bundle_as_json_and_by_its_exit_code(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(bundle()[:5000])
    with pytest.raises(BrokenBundleError, match=r"x\.sandbox is broken") as caught:
        program(["bundle"])(["bundle", "verify", str(file), "--json"], standalone_mode=False)
    assert caught.value.exit_code == 3
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert said["problems"] == caught.value.details.splitlines()


def test_up_of_a_broken_bundle_makes_nothing(file: Path, tmp_path: Path) -> None:
    file.write_bytes(bundle()[:-1])
    with pytest.raises(BrokenBundleError, match="nothing was made of it"):
        run("up", "x.sandbox")
    assert [one.name for one in tmp_path.iterdir()] == ["x.sandbox"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("verify",), "verify which file"),
        (("verify", "no.sandbox"), "there is no such file"),
        (("verify", "x.sandbox", "-o", "y"), "verify writes nothing"),
        (("a.yml", "b.yml"), "one box at a time"),
    ],
)
def test_words_that_mean_nothing(file: Path, words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        run("bundle", *words)


def test_words_are_completed(file: Path) -> None:
    empty = typer.Context(typer.main.get_command(program(["bundle"])))
    assert complete_bundle(empty, "ver") == ["verify"]
    empty.params["words"] = ["verify"]
    assert complete_bundle(empty, "") == ["x.sandbox"]
    assert "x.sandbox" in complete_up("")
