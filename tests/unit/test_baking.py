"""What a baked image's key hashes: all code that makes a machine, wherever it stands."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from sandbox import baking
from sandbox.paths import data_dir
from sandbox.placement import Placement
from sandbox.provision import bootstrap, provision
from sandbox.render import render_bootstrap
from tests.unit.factories import shiny_sandbox

PACKAGE = Path(baking.__file__).parent
QUOTING = '\n\ndef quoted(value: str) -> str:\n    """As it was."""\n    return value\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the program, whose keys are asked for."""
    copy = tmp_path / "sandbox"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "suite"))
    monkeypatch.setattr(baking, "__file__", str(copy / "baking.py"))
    return copy


def key(placement: Placement | None = None) -> str:
    baking.recipe_digest.cache_clear()
    try:
        return baking.recipe_key(placement or shiny_sandbox())
    finally:
        baking.recipe_digest.cache_clear()


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_module_that_was_split_counts_with_both_its_parts(package: Path) -> None:
    render, part = package / "render.py", package / "quoting.py"
    append(render, "\n\nfrom sandbox.quoting import quoted\n")
    part.write_text('"""Quoting."""\n' + QUOTING, encoding="utf-8")
    before = key()
    append(part, "# Another thing is sent to the machine\n")
    assert key() != before


@pytest.mark.parametrize(
    "split",
    [
        "from sandbox.shapes import (\n    other,\n    quoting,\n)\n",
        "from sandbox import shapes\n",
        "import sandbox.shapes.quoting\n",
        "def late() -> None:\n    from sandbox.shapes.quoting import quoted\n",
    ],
)
def test_however_it_is_imported(package: Path, split: str) -> None:
    """As a part of a package, by the package itself, plainly, or when a function is called."""
    folder = package / "shapes"
    folder.mkdir()
    (folder / "__init__.py").write_text("from sandbox.shapes import quoting\n", encoding="utf-8")
    (folder / "quoting.py").write_text(QUOTING, encoding="utf-8")
    append(package / "render.py", f"\n\n{split}")
    before = key()
    append(folder / "quoting.py", "# Another thing is sent to the machine\n")
    assert key() != before


@pytest.mark.parametrize(
    "name", ["render.py", "provision.py", "plan.py", "waiting.py", "spec/certificate.py"]
)
def test_what_makes_a_machine_counts(package: Path, name: str) -> None:
    before = key()
    append(package / name, "# Changed\n")
    assert key() != before


@pytest.mark.parametrize("name", ["cli/look.py", "report/page.py", "checks/safe.py", "baking.py"])
def test_what_only_looks_at_a_machine_does_not(package: Path, name: str) -> None:
    """Or else every change of a page would have every machine made again."""
    before = key()
    append(package / name, "# Changed\n")
    assert key() == before


def test_an_import_for_mypy_is_none(package: Path) -> None:
    append(package / "render.py", "\n\nif TYPE_CHECKING:\n    from sandbox.cli import look\n\n")
    before = key()
    append(package / "cli" / "look.py", "# Changed\n")
    assert key() == before


def test_without_the_module_that_makes_machines_there_is_no_key(package: Path) -> None:
    (package / "provision.py").rename(package / "provisioning.py")
    with pytest.raises(ModuleNotFoundError, match=r"sandbox\.provision"):
        key()


@pytest.mark.parametrize("made_by", [bootstrap, provision, render_bootstrap])
def test_all_that_is_sent_to_a_machine_is_among_it(made_by: Callable[..., object]) -> None:
    assert made_by.__module__ in baking.makers()


REACH_A_MACHINE = {
    "playbooks/callback_plugins",
    "playbooks/roles",
    "playbooks/site.yml",
    "templates/Vagrantfile.j2",
    "templates/apt-progress.sh",
    "templates/bootstrap.sh.j2",
    "templates/box.ovf",
    "templates/libvirt-domain.xml.j2",
    "templates/libvirt-image.xml.j2",
    "templates/unsynced.py",
    "templates/vagrant-login.sh.j2",
    "templates/waiting.sh",
}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates and the playbooks, whose key is asked for."""
    for kind in ("templates", "playbooks"):
        shutil.copytree(data_dir(kind), tmp_path / kind)
    monkeypatch.setattr(baking, "data_dir", tmp_path.joinpath)
    return tmp_path


def entries(folder: Path) -> set[str]:
    """What stands right in both folders."""
    return {
        f"{kind}/{one.name}"
        for kind in ("templates", "playbooks")
        for one in (folder / kind).iterdir()
        if one.name != "__pycache__"
    }


def files_of(shipped: Path, names: Iterable[str]) -> list[Path]:
    """All files of these entries."""
    found = [one for name in names for one in (shipped / name, *(shipped / name).rglob("*"))]
    return [one for one in found if one.is_file() and "__pycache__" not in one.parts]


def test_each_template_is_known_to_reach_a_machine_or_not(shipped: Path) -> None:
    """Whoever adds one says here or in `IN_NO_MACHINE` which of the two it is."""
    assert not REACH_A_MACHINE & baking.IN_NO_MACHINE
    assert entries(shipped) == REACH_A_MACHINE | baking.IN_NO_MACHINE


def test_a_page_of_a_workshop_changes_no_key(shipped: Path) -> None:
    before = key()
    changed = files_of(shipped, baking.IN_NO_MACHINE)
    assert shipped / "templates/workshop/page/trainer.html.j2" in changed
    for path in changed:
        append(path, "changed\n")
    (shipped / "templates/workshop/new.html.j2").touch()
    assert key() == before


def test_each_file_that_can_reach_a_machine_changes_the_key(shipped: Path) -> None:
    before = key()
    for path in files_of(shipped, REACH_A_MACHINE):
        as_it_was = path.read_bytes()
        path.write_bytes(as_it_was + b"# changed\n")
        assert key() != before, path
        path.write_bytes(as_it_was)
    assert key() == before


def test_a_new_folder_counts_until_somebody_says_it_does_not(shipped: Path) -> None:
    before = key()
    (shipped / "templates" / "another").mkdir()
    (shipped / "templates" / "another" / "part.sh").touch()
    assert key() != before
    assert entries(shipped) != REACH_A_MACHINE | baking.IN_NO_MACHINE


def test_nothing_that_makes_a_machine_reads_what_is_left_out() -> None:
    makers = {name: source.decode() for name, source in baking.makers().items()}
    names = [Path(one).name.removesuffix(".j2") for one in baking.IN_NO_MACHINE]
    assert not [(name, one) for name, source in makers.items() for one in names if one in source]
