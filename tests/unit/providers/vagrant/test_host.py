"""What is asked of Vagrant before a provider is chosen."""

from pathlib import Path

import pytest

from sandbox.providers.findings import Finding
from sandbox.providers.vagrant import engine as vagrant
from sandbox.providers.vagrant.engine import VagrantEngine
from sandbox.providers.virtualbox.hypervisor import VirtualBox

THERE = Finding(ok=True, title="VirtualBox is installed")
MISSING = Finding(ok=False, title="VirtualBox is installed")
VAGRANT = Finding(ok=True, title="Vagrant is installed")


@pytest.mark.parametrize(
    ("own", "brief", "found"),
    [
        (MISSING, True, (MISSING,)),
        (MISSING, False, (MISSING, VAGRANT)),
        (THERE, True, (THERE, VAGRANT)),
    ],
)
def test_vagrant_is_asked_where_that_can_change_the_answer(
    own: Finding,
    brief: bool,
    found: tuple[Finding, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(VirtualBox, "findings", lambda _: (own,))
    monkeypatch.setattr(vagrant, "vagrant_findings", lambda _: (VAGRANT,))
    engine = VagrantEngine(VirtualBox("sbx"), tmp_path)
    assert engine.check_host(brief=brief).findings == found
