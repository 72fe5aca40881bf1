"""A box that names its passwords: they reach the machine, and nothing else has them afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Host
from tests.e2e.conftest import Shiny
from tests.e2e.test_interrupted import assert_nothing_left

BOX = """\
version: 1
extends: shiny
system:
  environment: {SALES_DB: {secret: SALES_DB}}
r:
  options: {sales.db: {secret: SALES_DB}}
  repos: {CRAN: {secret: CRAN_URL}}
"""
SALES = "pLaNt3d-sales $x'y\"z"
CRAN = "https://cran.example.org/pLaNt3d/all"
OURS = ("environment.SALES_DB", "r.option.sales.db", "r.repo.CRAN")


@pytest.fixture
def vault(host: Host, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "vault.yml"
    path.write_text(BOX)
    yield path
    host.reap()
    host.sandbox("destroy", "vault", expect=None)
    assert_nothing_left(host, "vault")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "given"
    path.write_text(f"# of the repository\nCRAN_URL={CRAN}\n")
    path.chmod(0o600)
    return path


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    """How each check of what is secret ended."""
    return {
        one["id"]: one["outcome"]
        for one in report["results"]
        if one["id"].removeprefix("correct.").rpartition(".")[0] in OURS
    }


def files_with(word: bytes, *folders: Path) -> list[Path]:
    return [
        path
        for folder in folders
        for path in folder.rglob("*")
        # Images, sockets and the like are large or cannot be read as files
        if path.is_file() and path.stat().st_size < 50_000_000 and word in path.read_bytes()
    ]


def test_secrets_are_on_the_machine_and_nowhere_else(
    host: Host, shiny: Shiny, vault: Path, given: Path, tmp_path: Path
) -> None:
    del shiny  # Its image is what this machine is made from
    nobody = host.sandbox("up", vault, expect=2)
    assert "CRAN_URL, SALES_DB" in nobody.stderr
    assert not (host.instances / "vault").exists()

    up = host.sandbox("up", vault, "--secrets", given, env={"SALES_DB": SALES}, timeout_s=1200)
    assert "as a layer on shiny" in up.stderr
    assert "it is not kept as a baked image, which would hold CRAN_URL, SALES_DB" in up.stderr
    script = (
        "cat(Sys.getenv('SALES_DB'), getOption('sales.db'), getOption('repos')['CRAN'], sep='|')"
    )
    said = host.sandbox("exec", "vault", "--", "Rscript", "-e", script).stdout
    assert said == f"{SALES}|{SALES}|{CRAN}"

    check = host.sandbox("check", "vault", "--goal", "correct", "--junit", tmp_path / "j.xml")
    page = tmp_path / "page.html"
    host.sandbox("report", "vault", "--html", page)
    told = [up, check, host.sandbox("render", vault), host.sandbox("logs", "vault", "--own")]
    told += [host.sandbox("probe", "vault"), host.sandbox("status", "vault", "--json")]
    assert "pLaNt3d" not in "\n".join(done.stdout + done.stderr for done in told)
    assert page.is_file()
    assert files_with(b"pLaNt3d", host.home, tmp_path) == [given]
    # The brackets: sudo writes this very command into the journal
    journal = "journalctl --no-pager | grep -c 'pLaNt3[d]'; grep -rl 'pLaNt3[d]' /var/log /tmp"
    noted = host.sandbox("exec", "vault", "--", "sudo", "sh", "-c", journal, expect=None).stdout
    assert noted.split() == ["0"]
    kept = json.loads(host.sandbox("cache", "list", "--json").stdout)
    assert [row for row in kept if row["box"] == "vault"] == []
    assert "its image would hold secrets" in host.sandbox("bake", vault, expect=2).stderr


def test_another_value_on_the_machine_is_found_and_put_right(
    host: Host, shiny: Shiny, vault: Path, given: Path
) -> None:
    del shiny
    values = ("--secrets", given)
    host.sandbox("up", vault, *values, "--no-checks", env={"SALES_DB": SALES}, timeout_s=1200)
    change = (
        "sed -i 's/pLaNt3[d]-sales/wRoNg-sales/' /etc/profile.d/sandbox.sh /etc/R/Renviron.site"
    )
    host.sandbox("exec", "vault", "--", "sudo", "sh", "-c", change)
    done = host.sandbox("check", "vault", "--goal", "correct", "--json", expect=1)
    found = outcomes(json.loads(done.stdout))
    wrong = {f"correct.environment.SALES_DB.{viewer}" for viewer in ("login", "app")}
    assert {name for name, outcome in found.items() if outcome == "failed"} == wrong
    assert {outcome for name, outcome in found.items() if name not in wrong} == {"passed"}
    table = host.sandbox("check", "vault", "--goal", "correct", expect=1).stdout
    assert "another value than it was given" in table
    for word in ("pLaNt3d", "wRoNg"):
        assert word not in done.stdout + done.stderr + table
        assert files_with(word.encode(), host.home) == []

    # Another password altogether: `up` sees by its hash that the machine does not have it
    fresh = "pLaNt3d-fresh"
    up = host.sandbox("up", vault, *values, "--no-checks", env={"SALES_DB": fresh})
    assert "not what the machine was given before: SALES_DB" in up.stderr
    report = host.sandbox("check", "vault", "--goal", "correct", "--json").stdout
    assert set(outcomes(json.loads(report)).values()) == {"passed"}
    said = host.sandbox("exec", "vault", "--", "printenv", "SALES_DB").stdout
    assert said == f"{fresh}\n"
