"""A box that names its passwords: they reach the machine, and nothing else has them afterwards."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass
class Vault:
    """The sandbox of that box, and what was said on the way to it."""

    box: Path
    given: Path
    """The file of the repository's secret; the other one comes from the environment."""
    refused: subprocess.CompletedProcess[str]
    up: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def vault(host: Host, shiny: Shiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """Made from the image of `shiny`, which has all but the secrets."""
    del shiny
    folder = tmp_path_factory.mktemp("vault")
    box, given = folder / "vault.yml", folder / "given"
    box.write_text(BOX)
    given.write_text(f"# of the repository\nCRAN_URL={CRAN}\n")
    given.chmod(0o600)
    refused = host.sandbox("up", box, expect=2)
    assert not (host.instances / "vault").exists()
    up = host.sandbox("up", box, "--secrets", given, env={"SALES_DB": SALES}, timeout_s=1200)
    yield Vault(box, given, refused, up)
    host.sandbox("destroy", "vault", expect=None)
    assert_nothing_left(host, "vault")


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
    host: Host, vault: Vault, tmp_path: Path
) -> None:
    assert "CRAN_URL, SALES_DB" in vault.refused.stderr
    assert "as a layer on shiny" in vault.up.stderr
    assert "not kept as a baked image, which would hold CRAN_URL, SALES_DB" in vault.up.stderr
    script = (
        "cat(Sys.getenv('SALES_DB'), getOption('sales.db'), getOption('repos')['CRAN'], sep='|')"
    )
    said = host.sandbox("exec", "vault", "--", "Rscript", "-e", script).stdout
    assert said == f"{SALES}|{SALES}|{CRAN}"

    check = host.sandbox("check", "vault", "--goal", "correct", "--junit", tmp_path / "j.xml")
    page = tmp_path / "page.html"
    host.sandbox("report", "vault", "--html", page)
    told = [
        vault.up,
        check,
        host.sandbox("render", vault.box),
        host.sandbox("logs", "vault", "--own"),
    ]
    told += [host.sandbox("probe", "vault"), host.sandbox("status", "vault", "--json")]
    assert "pLaNt3d" not in "\n".join(done.stdout + done.stderr for done in told)
    assert page.is_file()
    assert files_with(b"pLaNt3d", host.home, tmp_path, vault.box.parent) == [vault.given]
    # The brackets: sudo writes this very command into the journal. Ansible's modules write none of
    # what they are told there, be it secret or not
    journal = "journalctl --no-pager | grep -c -e 'pLaNt3[d]' -e 'Invoked wit[h]'"
    looks = f"{journal}; grep -rl 'pLaNt3[d]' /var/log /tmp"
    noted = host.sandbox("exec", "vault", "--", "sudo", "sh", "-c", looks, expect=None).stdout
    assert noted.split() == ["0"]
    kept = json.loads(host.sandbox("cache", "list", "--json").stdout)
    assert [row for row in kept if row["box"] == "vault"] == []
    assert "its image would hold secrets" in host.sandbox("bake", vault.box, expect=2).stderr


def test_another_value_on_the_machine_is_found_and_put_right(host: Host, vault: Vault) -> None:
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
    again = ("--secrets", vault.given, "--no-checks")
    up = host.sandbox("up", vault.box, *again, env={"SALES_DB": fresh})
    assert "not what the machine was given before: SALES_DB" in up.stderr
    report = host.sandbox("check", "vault", "--goal", "correct", "--json").stdout
    assert set(outcomes(json.loads(report)).values()) == {"passed"}
    said = host.sandbox("exec", "vault", "--", "printenv", "SALES_DB").stdout
    assert said == f"{fresh}\n"
