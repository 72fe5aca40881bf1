"""Lock, check, up --locked: which of three differs, and that nothing is left behind."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sandbox.box_lock.errors import DiffersFromLockError
from sandbox.box_lock.model import LockedFile
from sandbox.box_lock.text import read_lock
from sandbox.errors import BoxError, ProviderError, ProvisionError, UsageError
from sandbox.obtained import Materials, Obtained
from sandbox.placement import Placement
from sandbox.spec.r import R, RPackages
from sandbox.state import instance_names
from sandbox.workflows import cache
from sandbox.workflows import lock as workflow
from sandbox.workflows.cache_materials import PruneRule
from sandbox.workflows.context import Context
from sandbox.workflows.lock_export import export_lock
from sandbox.workflows.lock_upgrade import mixed, upgrade
from sandbox.workflows.locked_plan import locked_placement
from tests.fakes.fetching import FakeFetcher
from tests.unit.box_lock.made import dpkg, r_package
from tests.unit.factories import placed, plain_plan, shiny_plan
from tests.unit.materials.made import AARCH64, X86_64, binary, elf, source
from tests.unit.materials.test_lock_answers import CUT
from tests.unit.workflows.conftest import Bench

TREE = b"the package tree"
URL = "http://m.example/pool/tree_2-1_amd64.deb"
BASE = (("libc6", "2.36-9"), ("perl", "5.36-7"))


def answer() -> str:
    wanted = f"'{URL}' tree_2-1_amd64.deb {len(TREE)} SHA256:{sha256(TREE).hexdigest()}\n"
    known = f"'http://m.example/l.deb' libc6_2.36-9_amd64.deb 7 SHA256:{'ab' * 32}\n"
    return CUT.join((dpkg(*BASE), wanted, "", known))


@pytest.fixture
def fetcher(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeFetcher:
    made = FakeFetcher(tmp_path / "store", {URL: TREE})
    monkeypatch.setattr(Context, "fetcher", lambda *_, **__: made)
    bench.lock_answer = answer()
    bench.base_packages = dpkg(*BASE)
    bench.packages = dpkg(*BASE, ("tree", "2-1"))
    return made


@pytest.fixture
def box(tmp_path: Path) -> Placement:
    path = tmp_path / "plain.yml"
    path.write_text("version: 1\nbase: debian-12\n")
    return placed(plain_plan(), box_path=path, apt_packages=("tree",))


def changed(box: Placement, **changes: Any) -> Placement:
    return box.with_plan(box.plan.model_copy(update=changes))


def lock(bench: Bench, box: Placement) -> workflow.Locked:
    return workflow.lock(box, context=bench.context)


def test_a_lock_is_written_and_no_machine_stays(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    made = lock(bench, box)
    assert made.changed
    assert made.path == box.plan.box_path.with_name("plain.lock.yml")
    (title, machine) = next(iter(read_lock(made.path).machines.items()))
    assert title.startswith("debian-12 ")
    assert [one.title for one in machine.debs] == ["libc6 2.36-9", "tree 2-1"]
    assert [one.name for one in machine.from_base] == ["perl"]
    assert machine.base.image == "f00d"
    assert bench.asked_for_lock == [(("tree",), ())]
    assert bench.provisioned == 0
    assert instance_names() == []
    assert bench.engine.status() == {}
    assert fetcher.store.find(machine.debs[1].sha256) is not None


def test_the_same_again_changes_nothing(bench: Bench, fetcher: FakeFetcher, box: Placement) -> None:
    made = lock(bench, box)
    text = made.path.read_text().replace(made.machine.date, "2020-01-01")
    made.path.write_text(text)
    again = lock(bench, box)
    assert (again.changed, again.machine.date) == (False, "2020-01-01")
    assert made.path.read_text() == text


def test_another_processors_part_stays(bench: Bench, fetcher: FakeFetcher, box: Placement) -> None:
    made = lock(bench, box)
    text = made.path.read_text()
    (title,) = read_lock(made.path).machines
    made.path.write_text(text.replace(title, "debian-12 pdp11").replace("perl", "perk"))
    lock(bench, box)
    assert sorted(read_lock(made.path).machines) == sorted([title, "debian-12 pdp11"])


def test_a_failure_leaves_no_machine_and_no_lock(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    bench.fail_lock = ProvisionError("apt cannot")
    with pytest.raises(ProvisionError, match="apt cannot"):
        lock(bench, box)
    assert instance_names() == []
    assert not box.plan.box_path.with_name("plain.lock.yml").exists()


def test_what_a_killed_lock_left_is_pruned(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    bench.engine.failures["destroy"] = KeyboardInterrupt()
    bench.fail_lock = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        lock(bench, box)
    assert len(instance_names()) == 1
    bench.engine.failures.clear()
    bench.bases = ProviderError("nobody answers")
    cache.prune(PruneRule(), context=bench.context)
    assert instance_names() == []


def test_a_damaged_lock_is_not_written_over(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    path = box.plan.box_path.with_name("plain.lock.yml")
    path.write_text("format: [\n")
    with pytest.raises(BoxError, match="has a problem"):
        lock(bench, box)
    assert path.read_text() == "format: [\n"
    assert bench.asked_for_lock == []


def test_an_r_of_every_day_is_refused_at_its_line(bench: Bench, box: Placement) -> None:
    text = "version: 1\nbase: debian-12\nr:\n  source: posit\n  version: devel\n"
    box.plan.box_path.write_text(text)
    with pytest.raises(BoxError) as caught:
        lock(bench, changed(box, r=R(version="devel", source="posit")))
    assert "plain.yml:5: r.version: R devel is another one every day" in caught.value.details


# --check


def test_a_lock_that_fits(bench: Bench, fetcher: FakeFetcher, box: Placement) -> None:
    made = lock(bench, box)
    fetcher.asked.clear()
    bench.asked_for_lock.clear()
    assert workflow.fitting_lock(box) == workflow.Locked(made.path, made.machine, changed=False)
    assert (fetcher.asked, bench.asked_for_lock) == ([], [])


def test_without_a_lock(box: Placement) -> None:
    with pytest.raises(UsageError, match="there is no lock of plain") as caught:
        workflow.fitting_lock(box)
    assert caught.value.hint.startswith("sandbox lock ")


def test_a_changed_box_is_named_by_its_part(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    made = lock(bench, box)
    system = box.plan.system.model_copy(update={"timezone": "Europe/Oslo"})
    app = shiny_plan().apps
    with pytest.raises(DiffersFromLockError, match="the box differs") as caught:
        workflow.fitting_lock(changed(box, system=system, apps=app))
    assert caught.value.details.splitlines() == [
        "app: faithful: new in the box",
        f"box: system: changed since {made.machine.date}",
    ]
    assert caught.value.exit_code == 1


def test_its_size_and_name_are_not_locked(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    lock(bench, box)
    larger = box.plan.machine.model_copy(update={"memory_mb": 4096})
    assert not workflow.fitting_lock(changed(box, machine=larger).renamed("other")).changed


def test_nothing_for_this_processor(bench: Bench, fetcher: FakeFetcher, box: Placement) -> None:
    made = lock(bench, box)
    (title,) = read_lock(made.path).machines
    made.path.write_text(made.path.read_text().replace(title, "debian-12 pdp11"))
    with pytest.raises(UsageError, match="has nothing for") as caught:
        workflow.fitting_lock(box)
    assert "pdp11" in caught.value.details


# up --locked


def test_a_machine_gets_the_locked_files_and_no_others(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    lock(bench, box)
    fetcher.web.clear()
    placement = locked_placement(box, bench.context)
    result = bench.up(placement)
    assert result.placement.plan.locked is not None
    assert bench.unpacked == ["var/lib/sandbox/locked/tree_2-1_amd64.deb"]
    assert placement.key != box.key


def test_bytes_that_are_gone_or_others(bench: Bench, fetcher: FakeFetcher, box: Placement) -> None:
    made = lock(bench, box)
    fetcher.store.remove(frozenset({one.sha256 for one in made.machine.debs}))
    fetcher.web.clear()
    with pytest.raises(DiffersFromLockError, match="the bytes differ") as caught:
        locked_placement(box, bench.context)
    assert "tree 2-1 is not kept here, and" in caught.value.details
    fetcher.web[URL] = b"other bytes"
    with pytest.raises(DiffersFromLockError, match="the bytes differ") as caught:
        locked_placement(box, bench.context)
    assert "SHA-256" in caught.value.details
    assert instance_names() == []


def test_a_binary_package_is_asked_for_as_r_does(
    bench: Bench, fetcher: FakeFetcher, box: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, data = "https://c.example/cran/src/contrib/ab_1.0.tar.gz", b"compiled"
    package = r_package("ab", sha256=sha256(data).hexdigest(), url=url)
    known_files(monkeypatch, package)
    box = with_r(box, UNDATED)
    lock(bench, box)
    fetcher.web[url] = b"source"
    with pytest.raises(DiffersFromLockError, match="the bytes differ"):
        locked_placement(box, bench.context)
    fetcher.web[f"{url} AGENT"] = data
    assert locked_placement(box, bench.context).plan.materials.files == (package.obtained(),)


@pytest.mark.parametrize(
    "case",
    [
        (source("ab"), "the server has it as source there, and it was locked compiled"),
        (binary("ab", r="4.2.2", library=elf(X86_64)), "another build of the same version there"),
        (binary("ab", library=elf(AARCH64)), "its libraries are for aarch64"),
        (None, "is not kept here"),
    ],
    ids=["source", "another build", "another architecture", "gone"],
)
def test_a_locked_binary_that_the_mirror_has_no_more(
    bench: Bench,
    fetcher: FakeFetcher,
    box: Placement,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[bytes | None, str],
) -> None:
    now, said = case
    url, data = (
        "https://c.example/cran/src/contrib/ab_1.0.tar.gz",
        binary("ab", library=elf(X86_64)),
    )
    # The libraries above are for this processor, or for another
    monkeypatch.setattr("sandbox.workflows.locked_plan.own_architecture", lambda: "x86_64")
    known_files(monkeypatch, r_package("ab", sha256=sha256(data).hexdigest(), url=url))
    box = with_r(box, UNDATED)
    lock(bench, box)
    if now is not None:
        fetcher.web[url] = now
    with pytest.raises(DiffersFromLockError, match="the bytes differ") as caught:
        locked_placement(box, bench.context)
    assert "ab 1.0" in caught.value.details
    assert said in caught.value.details
    assert instance_names() == []


def test_a_package_of_a_folder_that_is_not_kept_here(
    bench: Bench, fetcher: FakeFetcher, box: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_files(monkeypatch, r_package("own", url="packages/own", is_binary=False))
    box = with_r(box, UNDATED)
    lock(bench, box)
    with pytest.raises(DiffersFromLockError, match="the bytes differ") as caught:
        locked_placement(box, bench.context)
    assert "own 1.0 is not kept here" in caught.value.details


def test_a_base_of_another_build_is_named(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    lock(bench, box)
    bench.base_packages = dpkg(("libc6", "2.36-10"), BASE[1])
    with pytest.raises(DiffersFromLockError, match="the machine differs") as caught:
        bench.up(locked_placement(box, bench.context))
    assert caught.value.details == "libc6: 2.36-10, and the lock has 2.36-9"
    assert bench.provisioned == 0


def test_a_machine_that_became_another_is_not_kept_as_an_image(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    lock(bench, box)
    bench.packages += dpkg(("vim", "9"))
    with pytest.raises(DiffersFromLockError, match="the machine of plain differs") as caught:
        bench.up(locked_placement(box, bench.context))
    assert caught.value.details == "vim: 9, and the lock has none"
    assert bench.engine.baked_images() == ()


def test_an_unchanged_machine_is_compared_too(
    bench: Bench, fetcher: FakeFetcher, box: Placement
) -> None:
    lock(bench, box)
    placement = locked_placement(box, bench.context)
    bench.up(placement)
    assert bench.up(placement).unchanged
    bench.packages += dpkg(("vim", "9"))
    with pytest.raises(DiffersFromLockError, match="differs from the lock"):
        bench.up(placement)


# --upgrade, exports


def with_r(box: Placement, packages: RPackages) -> Placement:
    return changed(box, r=R(version="4.2", packages=packages))


def known_files(monkeypatch: pytest.MonkeyPatch, *files: Any) -> None:
    found = Materials(files=tuple(one.obtained() for one in files))

    def found_for(placement: Placement, context: Context, *, again: bool = False) -> Placement:
        assert again
        return placement.with_plan(placement.plan.with_materials(found))

    monkeypatch.setattr("sandbox.workflows.lock.with_files", found_for)
    monkeypatch.setattr("sandbox.workflows.lock_upgrade.package_of_today", lambda *_: found)


UNDATED = RPackages(source="repository", names=("ab", "cd"), repository="https://c.example/cran")


def test_one_package_changes_and_what_it_needs(
    bench: Bench, fetcher: FakeFetcher, box: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = with_r(box, UNDATED)
    known_files(monkeypatch, r_package("ab"), r_package("cd"), r_package("ef"))
    made = lock(bench, box)
    newer = (r_package("ab", "2.0", needs=("ef",)), r_package("cd", "2.0"), r_package("ef", "2.0"))
    known_files(monkeypatch, *newer)
    done = upgrade(box, "ab", context=bench.context)
    assert [(one.name, one.version) for one in done.machine.files] == [
        ("ab", "2.0"),
        ("cd", "1.0"),
        ("ef", "2.0"),
    ]
    assert done.machine.debs == made.machine.debs
    assert workflow.fitting_lock(box).machine == done.machine


def test_packages_that_need_each_other_end() -> None:
    today = (r_package("ab", "2.0", needs=("cd",)), r_package("cd", "2.0", needs=("ab",)))
    assert [one.version for one in mixed((), today, "ab")] == ["2.0", "2.0"]


def test_a_package_that_stays_is_linked_to_the_one_that_changed() -> None:
    old = (r_package("ab"), r_package("cd", needs=("ab",)), r_package("ef"))
    linked = old[1].model_copy(update={"linked_to": ("ab 1.0", "ef 1.0", "gone 3.0")})
    found = mixed((old[0], linked, old[2]), (r_package("ab", "2.0"),), "ab")
    assert [one.version for one in found] == ["2.0", "1.0", "1.0"]
    # What somebody took out of the file by hand stays as it was said
    assert found[1].linked_to == ("ab 2.0", "ef 1.0", "gone 3.0")


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("tree", "is a package of the distribution"),
        ("abb", "no package `abb` is locked"),
        ("ab", "as it was on 2024-06-13"),
    ],
)
@pytest.mark.usefixtures("fetcher")
def test_what_cannot_change_alone(
    bench: Bench, box: Placement, monkeypatch: pytest.MonkeyPatch, package: str, expected: str
) -> None:
    box = with_r(box, UNDATED.model_copy(update={"date": "2024-06-13"}))
    known_files(monkeypatch, r_package("ab"))
    lock(bench, box)
    with pytest.raises(UsageError, match=expected):
        upgrade(box, package, context=bench.context)


def test_exports(
    bench: Bench,
    fetcher: FakeFetcher,
    box: Placement,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    box = with_r(box, UNDATED)
    known_files(monkeypatch, r_package("ab"))
    lock(bench, box)
    output = tmp_path / "renv.lock"
    text = export_lock(box, renv="renv", sbom=None, output=output)
    assert output.read_text() == text
    assert '"URL": "https://c.example/cran"' in text
    assert "pkg:cran/ab@1.0" in export_lock(box, renv=None, sbom="cyclonedx", output=None)
    with pytest.raises(UsageError, match="there is no form `spdx`"):
        export_lock(box, renv=None, sbom="spdx", output=None)


def test_a_file_keeps_all_that_a_plan_has_of_it() -> None:
    file = Obtained(
        kind="r_package",
        name="ab",
        version="1.0",
        file_name="ab_1.0.tar.gz",
        url="https://c.example/ab_1.0.tar.gz",
        sha256="ab" * 32,
        size_bytes=1,
        r="4.2.2",
        is_binary=False,
        needs=("cd",),
        linked_to=("Rcpp 1.0",),
        remote=(("RemoteSha", "1" * 40),),
    )
    assert LockedFile.of(file).obtained() == file
