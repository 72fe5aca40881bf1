"""How a command starts: what it imports is most of what it takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.baking import makers
from sandbox.providers.engine import MachineSpec
from sandbox.providers.vagrant.files import VmFolder, new_record
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.summary import Phase
from tests.unit.factories import shiny_sandbox

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = ("rich", "jinja2", "ansible", "paramiko", "testinfra", "pytest", "vagrant")
"""What takes long to import, and is for other commands."""


TELL = """
import json, sys
from sandbox.cli.app import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def sandbox(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`sandbox WORDS`, which tells at last what it has imported."""
    folders = {"XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        (sys.executable, "-c", TELL, *words),
        env={**os.environ, **folders, "SANDBOX_INCUS_PREFIX": "sbxnone"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def imported(tmp_path: Path, *words: str, says: str = "") -> set[str]:
    """The modules that `sandbox WORDS` imports; `says` is in what it prints."""
    done = sandbox(tmp_path, *words)
    assert says in done.stdout
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("words", "own"),
    [(("validate", "boxes/shiny.yml"), "boxes"), (("list",), "look")],
)
def test_a_command_imports_what_it_needs(tmp_path: Path, words: tuple[str, ...], own: str) -> None:
    modules = imported(tmp_path, *words)
    assert f"sandbox.cli.{own}" in modules
    assert [one for one in modules if one.partition(".")[0] in ELSEWHERE] == []
    groups = {"boxes", "cache", "fidelity", "host", "lifecycle", "look", "probe", "snapshot"}
    assert {f"sandbox.cli.{other}" for other in groups - {own}} & modules == set()


def test_a_box_is_validated_without_engines(tmp_path: Path) -> None:
    modules = imported(tmp_path, "validate", "boxes/r.yml")
    assert [one for one in modules if one.startswith(("sandbox.providers.", "sandbox.run"))] == []
    # The code of an app is read by R, which is a process
    modules = imported(tmp_path, "validate", "boxes/shiny.yml")
    assert [one for one in modules if one.startswith("sandbox.providers.")] == []


def test_sandboxes_are_listed_without_models_and_what_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    Instance("shiny").write(Record(placement=shiny_sandbox()))
    modules = imported(tmp_path, "list", says="shiny")
    others = ("sandbox.images", "sandbox.spec.load", "sandbox.spec.source", "yaml")
    models = ("pydantic", "sandbox.plan", "sandbox.spec.models")
    assert [one for one in modules if one.startswith((*others, *models))] == []


VIRSH = """\
#!/bin/sh
case "$*" in
*"list --all"*) printf ' 1    sbxnone-shiny   running\\n\\n== {uuid}   sbxnone-shiny\\n' ;;
*)
    for word in $(printf '%s' "$*" | sed -n 's/.*echo \\([^ ;]*\\);.*/\\1/p'); do
        printf '%s%s' "$word" '{note}'
    done
    ;;
esac
"""
# What VBoxManage says of one VM with `list --long vms`
VBOX = """\
#!/bin/sh
case "$*" in
*"list --long vms"*)
    printf 'Name:            sbxnone-shiny\\nGroups:          /\\n'
    printf 'UUID:            {uuid}\\nState:           running (since now)\\n'
    ;;
*) echo 'Value: {note}' ;;
esac
"""


@pytest.mark.parametrize(
    ("provider", "tool", "script"),
    [("libvirt", "virsh", VIRSH), ("virtualbox", "VBoxManage", VBOX)],
)
def test_virtual_machines_are_listed_as_lightly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, tool: str, script: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    placement = shiny_sandbox().model_copy(update={"provider": provider})
    Instance("shiny").write(Record(placement=placement, phase=Phase.PROVISIONED))
    spec = MachineSpec("shiny", "img", 1, 512, 4, "ssh-ed25519 AAAA", Instance("shiny").folder)
    vm = new_record(spec, "libvirt", "sbxnone", {22: 20200, 3838: 20201})
    VmFolder(Instance("shiny").folder).write(vm.model_copy(update={"provider": provider}))
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / tool
    program.write_text(script.format(uuid=vm.uuid, note=vm.owner_note))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    modules = imported(tmp_path, "list", says="running")
    assert "http://127.0.0.1:20201/faithful/" in sandbox(tmp_path, "list").stdout
    heavy = ("pydantic", "vagrant", "jinja2", "sandbox.plan")
    assert [one for one in modules if one.startswith(heavy)] == []
    vagrant = {one for one in modules if one.startswith("sandbox.providers.vagrant.")}
    assert vagrant == {f"sandbox.providers.vagrant.{light}" for light in ("provider", "vm")}
    assert not {one for one in modules if one.endswith(".hypervisor")}


def test_listings_are_json_with_points_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = Record(placement=shiny_sandbox()).advanced("planned", note="a note")
    Instance("shiny").write(record)
    made_at = record.history[0].at.isoformat().replace("+00:00", "Z")
    (info,) = json.loads(sandbox(tmp_path, "list", "--json").stdout)
    details = json.loads(sandbox(tmp_path, "status", "shiny", "--json").stdout)
    assert info.items() <= details.items()
    assert (info["name"], info["made_at"], info["urls"]) == ("shiny", made_at, [])
    assert details["history"] == [
        {"at": made_at, "what": "planned", "plan_key": record.plan.key, "note": "a note"}
    ]


def test_what_python_loads_to_make_a_machine_is_all_in_the_key_of_its_image() -> None:
    """Read without importing, it must not be less than what an import loads."""
    code = "import json, sys, sandbox.provision; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        (sys.executable, "-c", code),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = {name for name in json.loads(done.stdout) if name.partition(".")[0] == "sandbox"}
    assert "sandbox.provision" in loaded
    assert loaded <= set(makers())
