"""What is asked of Vagrant before a provider is chosen."""

from pathlib import Path

import pytest

from sandbox.providers.findings import Finding
from sandbox.providers.libvirt.hypervisor import Libvirt
from sandbox.providers.vagrant import engine as vagrant
from sandbox.providers.vagrant import host_check
from sandbox.providers.vagrant.engine import VagrantEngine
from sandbox.providers.vagrant.hypervisor import Hypervisor
from sandbox.providers.virtualbox.hypervisor import VirtualBox
from sandbox.run import Completed

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


@pytest.mark.parametrize(
    ("hypervisor", "titles"),
    [
        (VirtualBox("sbx"), ["Vagrant is installed"]),
        (
            Libvirt("sbx"),
            ["Vagrant is installed", "Vagrant's plugin for libvirt is installed"],
        ),
    ],
)
def test_a_plugin_is_looked_for_where_one_is_needed(
    hypervisor: Hypervisor, titles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    which = "sandbox.providers.vagrant.host_check.shutil.which"
    monkeypatch.setattr(which, lambda _: "/usr/bin/vagrant")
    said = Completed(("vagrant",), 0, "Vagrant 2.4.9\n", "", 0.1)
    monkeypatch.setattr(host_check, "run", lambda *_, **__: said)
    found = host_check.vagrant_findings(hypervisor)
    assert [one.title for one in found] == titles
    assert (found[0].ok, found[0].detail) == (True, "2.4.9")
