"""The main job, for real: one box file becomes a running, checked machine, and stays what it is."""

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.conftest import Host
from tests.e2e.conftest import Shiny


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def row_of(shiny: Shiny) -> dict[str, Any]:
    rows: list[dict[str, Any]] = json.loads(shiny.host.sandbox("list", "--json").stdout)
    return next(row for row in rows if row["name"] == shiny.name)


def test_the_printed_url_serves_the_app(shiny: Shiny) -> None:
    assert shiny.url.endswith("/faithful/")
    assert "Old Faithful" in page(shiny.url)


def test_every_check_is_green_and_none_is_skipped(shiny: Shiny) -> None:
    report = shiny.check(expect=0)
    outcomes = {result["id"]: result["outcome"] for result in report["results"]}
    assert set(outcomes.values()) == {"passed"}, outcomes
    assert {result["goal"] for result in report["results"]} == {"up", "safe", "correct", "snappy"}
    assert report["elapsed_s"] < 10


def test_up_again_changes_nothing_and_is_fast(shiny: Shiny) -> None:
    record = shiny.host.instances / shiny.name / "record.json"
    before = record.read_text()
    started = time.monotonic()
    again = shiny.host.sandbox("up", "boxes/shiny.yml")
    took_s = time.monotonic() - started
    assert "unchanged" in again.stderr
    assert again.stdout.split()[-1] == shiny.url
    assert record.read_text() == before
    assert took_s < 3, took_s


def test_the_playbooks_run_again_change_nothing(shiny: Shiny) -> None:
    again = shiny.host.sandbox("up", "shiny", "--provision", timeout_s=600)
    assert re.search(r"\b0 of \d+ tasks changed", again.stderr), again.stderr


def test_list_status_and_render_tell_what_is(shiny: Shiny) -> None:
    row = row_of(shiny)
    assert (row["name"], row["state"], row["base"]) == ("shiny", "running", "debian-12")
    assert row["urls"] == [shiny.url]
    assert "shiny" in shiny.host.sandbox("list").stdout
    status = json.loads(shiny.host.sandbox("status", "shiny", "--json").stdout)
    assert [entry["what"] for entry in status["history"]][:3] == [
        "created",
        "provisioned",
        "checked",
    ]
    assert "bootstrap.sh" in shiny.host.sandbox("render", "boxes/shiny.yml").stdout


def test_exec_passes_output_arguments_and_status_on(shiny: Shiny) -> None:
    assert shiny.exec("printf", "%s|", "a b", "$HOME", "'") == "a b|$HOME|'|"
    shiny.exec("sh", "-c", "exit 7", expect=7)


def test_limits_are_really_set(shiny: Shiny) -> None:
    machine = json.loads(shiny.host.sandbox("probe", "shiny").stdout)["machine"]
    assert (machine["cpus"], machine["memory_mb"]) == (2, 2048)
    # And the kernel means it
    hog = "python3 -c 'print(len(bytearray(3 * 1024**3)))'; echo $?"
    assert shiny.exec("sh", "-c", hog).strip() == "137"
    full = shiny.as_root("fallocate -l 21G /var/tmp/hog; echo $?; rm -f /var/tmp/hog")
    assert full.split()[0] != "0"


def test_logs_show_shiny_servers_own_words(shiny: Shiny) -> None:
    assert "shiny-server.log" in shiny.host.sandbox("logs", "shiny").stdout
    assert "provision.log" in shiny.host.sandbox("logs", "shiny", "--own").stdout


def test_the_probe_sees_the_inside_of_the_app(shiny: Shiny) -> None:
    page(shiny.url)
    started = time.monotonic()
    facts: dict[str, Any] = json.loads(shiny.host.sandbox("probe", "shiny").stdout)
    # Promised: 3 s. How fast it is on this machine is no question for a test; that it waits is
    assert time.monotonic() - started < 15
    assert facts["os"]["codename"] == "bookworm"
    text = json.dumps(facts)
    assert "Europe/Vienna" in text
    assert "worker" in text


def test_a_junit_file_is_written(shiny: Shiny, tmp_path: Path) -> None:
    target = tmp_path / "junit.xml"
    shiny.host.sandbox("check", "shiny", "--junit", str(target))
    suites = {suite.get("name") for suite in ElementTree.parse(target).iter("testsuite")}
    assert len(suites) == 4


def test_stop_and_start_keep_everything(shiny: Shiny) -> None:
    shiny.as_root("echo kept > /var/tmp/kept")
    shiny.host.sandbox("stop", "shiny")
    assert row_of(shiny)["state"] == "stopped"
    refused = shiny.host.sandbox("ssh", "shiny", "--", "true", expect=2)
    assert "sandbox up shiny" in refused.stderr
    url = shiny.host.sandbox("start", "shiny").stdout.split()[-1]
    assert "Old Faithful" in page(url)
    assert shiny.exec("cat", "/var/tmp/kept").strip() == "kept"


def test_no_secret_is_in_logs_or_records(shiny: Shiny) -> None:
    folder = shiny.host.instances / shiny.name
    private = (folder / "id_ed25519").read_text().splitlines()[1]
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "id_ed25519":
            assert private not in path.read_text(errors="replace"), path
    assert (folder / "id_ed25519").stat().st_mode & 0o777 == 0o600


def test_a_changed_box_converges(shiny: Shiny, tmp_path: Path, host: Host) -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "boxes" / "shiny.yml").read_text()
    changed = tmp_path / "shiny.yml"
    changed.write_text(
        text.replace("Europe/Vienna", "America/New_York")
        .replace("digits: 7", "digits: 5")
        .replace("apps/faithful", str(root / "boxes" / "apps" / "faithful"))
    )
    host.sandbox("up", str(changed), "--name", "shiny")
    assert shiny.exec("Rscript", "-e", "cat(Sys.timezone(), getOption('digits'))") == (
        "America/New_York 5"
    )
    host.sandbox("up", "boxes/shiny.yml", "--name", "shiny")
    assert shiny.exec("Rscript", "-e", "cat(Sys.timezone(), getOption('digits'))") == (
        "Europe/Vienna 7"
    )
