"""What a command on a seat loads before it begins: a person waits for that."""

import subprocess
import sys

from tests.conftest import ROOT


def test_a_reset_waits_for_no_module_that_it_does_not_need() -> None:
    code = "import sys, sandbox.workflows.workshop.reset; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(said.stdout.split())
    assert "sandbox.workflows.workshop.bring" in loaded
    # What runs the checks of exercises takes a third of a second to load
    assert not {"sandbox.checks.own", "sandbox.workflows.workshop.up"} & loaded
