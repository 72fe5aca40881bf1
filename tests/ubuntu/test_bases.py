"""Each Ubuntu base becomes a machine that its own checks find nothing wrong with."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.spec.bases import load_bases
from tests.conftest import Host

MIRROR = os.environ.get("SANDBOX_TEST_UBUNTU_MIRROR", "")
BASES = [name for name, base in load_bases().items() if base.distribution == "ubuntu"]
API = "#* @get /\nfunction() 1\n"


@pytest.fixture(params=BASES)
def box(request: pytest.FixtureRequest, host: Host, tmp_path: Path) -> Iterator[Path]:
    """R, an API, and Shiny Server where the release has it."""
    base = load_bases()[request.param]
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "plumber.R").write_text(API)
    path = tmp_path / f"{base.name.replace('.', '-')}.yml"
    mirror = f"system: {{mirror: {{ubuntu: '{MIRROR}'}}}}\n" if MIRROR else ""
    shiny = "  shiny_server: {}\n" if "shiny_server" in base.offers else ""
    path.write_text(
        f"version: 1\nbase: {base.name}\n{mirror}"
        f"r: {{version: '{base.r_version}', packages: {{names: [shiny]}}}}\n"
        f"services:\n  plumber: {{path: api}}\n{shiny}"
    )
    yield path
    host.sandbox("destroy", path.stem, expect=None)


def test_up_and_checked(host: Host, box: Path) -> None:
    source = () if not MIRROR else ("--base-source", "build")
    host.sandbox("up", box, *source, timeout_s=3600)
    report = json.loads(host.sandbox("check", box.stem, "--json").stdout)
    wrong = {one["id"]: one["actual"] for one in report["results"] if one["outcome"] != "passed"}
    assert wrong == {}
    again = host.sandbox("up", box, "--provision", timeout_s=1800)
    assert "0 of" in again.stderr
