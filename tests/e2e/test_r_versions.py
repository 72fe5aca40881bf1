"""Three R versions side by side, each proven from inside; servers like them are rebuilt.

The third one is the shared Shiny sandbox's: test_shiny.py asks it all that is asked here.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Host
from tests.e2e.conftest import Shiny
from tests.e2e.servers import PLANTED, a_server

BOXES = {"r-4.0": "4.0.4", "r-4.5": "4.5.0"}


@pytest.fixture(scope="module")
def versions(host: Host, shiny: Shiny) -> Iterator[dict[str, str]]:
    del shiny
    names = {box: box.replace(".", "-") for box in BOXES}
    try:
        for box in names:
            host.sandbox("up", f"boxes/{box}.yml", timeout_s=1800)
        yield names
    finally:
        for name in names.values():
            host.sandbox("destroy", name, expect=None)


def test_each_sandbox_runs_the_r_of_its_base(host: Host, versions: dict[str, str]) -> None:
    states = {
        row["name"]: row["state"] for row in json.loads(host.sandbox("list", "--json").stdout)
    }
    script = "cat(as.character(getRversion()))"
    for name, wanted in (("shiny", "4.2.2"), *((versions[box], BOXES[box]) for box in BOXES)):
        assert states[name] == "running"
        assert host.sandbox("exec", name, "--", "Rscript", "-e", script).stdout == wanted
    for name in versions.values():
        report = json.loads(host.sandbox("check", name, "--json").stdout)
        outcomes = {result["id"]: result["outcome"] for result in report["results"]}
        assert set(outcomes.values()) == {"passed"}, outcomes
        hog = "python3 -c 'print(len(bytearray(2 * 1024**3)))'; echo $?"
        done = host.sandbox("exec", name, "--", "sh", "-c", hog)
        assert done.stdout.strip() == "137", done.stdout


_CANNOT_BE_REBUILT = {
    "libraries.people", "r.site-file.Rprofile.site", "r.site-file.Renviron.site",
    "config./etc/environment", "access.ssh.root",
}  # fmt: skip
"""What a box cannot say: somebody's own, code by hand, in which file it stands."""


@pytest.mark.parametrize("box", ["r-4.0", "r-4.5"])
def test_a_server_of_that_base_is_captured_and_rebuilt(
    host: Host, versions: dict[str, str], box: str, tmp_path: Path
) -> None:
    """Debian 12 is test_production.py's."""
    script = Path(__file__).with_name("by_hand.sh").read_text()
    captured, rebuilt = tmp_path / "old.yml", f"re{versions[box]}"
    with a_server(host, versions[box], "old", tmp_path, script) as config:
        host.sandbox("capture", "old", "-o", captured, "--ssh-config", config)
    try:
        given = {"SALES_API_TOKEN": PLANTED}
        up = host.sandbox("up", captured, "--name", rebuilt, timeout_s=1800, expect=1, env=given)
        words = ("diff", tmp_path / "old.facts.json", rebuilt, "--json")
        found = json.loads(host.sandbox(*words, expect=1).stdout)
    finally:
        host.sandbox("destroy", rebuilt, expect=None)
    differs = {one["id"] for one in found["facts"] if one["outcome"] == "differs"}
    assert differs == _CANNOT_BE_REBUILT
    # Neither side shows it, and it is told to be equal
    equal = {one["id"] for one in found["facts"] if one["outcome"] == "equal"}
    assert "r.option.sales.api_token" in equal
    assert found["compared"] > 200
    text = captured.read_text()
    for said in ("Pacific/Chatham", "de_AT.UTF-8", "digits: 5", "ours 0.3.1 (anna)"):
        assert said in text, said
    assert PLANTED not in text + (tmp_path / "old.facts.json").read_text() + up.stdout
