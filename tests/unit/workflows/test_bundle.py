"""Bundle and up FILE: the same machine elsewhere, and nothing touched when anything is broken."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from sandbox.box_lock.errors import DiffersFromLockError
from sandbox.bundle.errors import BrokenBundleError, OtherSandboxError
from sandbox.bundle.model import Manifest
from sandbox.errors import BoxError, UsageError
from sandbox.fetch.store import Store
from sandbox.paths import cache_dir, state_dir
from sandbox.placement import Placement
from sandbox.providers.abilities import BaseTransfer
from sandbox.providers.base_images import PreparedBase, WantedBase
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.spec.user_config import UserConfig
from sandbox.trust import Consent
from sandbox.workflows import bundle as workflow
from sandbox.workflows import unbundle
from sandbox.workflows.base import prepare_base
from sandbox.workflows.bundled import bundle_at, bundles_dir, manifest_of, unused_bundles
from sandbox.workflows.cache_materials import PruneRule, kept_beside, prune_beside
from sandbox.workflows.choose_placement import Overrides, placement_for
from sandbox.workflows.context import Context
from sandbox.workflows.locked_plan import locked_placement
from tests.fakes.fetching import FakeFetcher
from tests.unit.box_lock.made import dpkg
from tests.unit.materials.test_lock_answers import CUT
from tests.unit.workflows.conftest import Bench

TREE = b"the package tree"
URL = "http://m.example/pool/tree_2-1_amd64.deb"
IMAGE = {"meta-x.tar": b"what it is", "x.tar": b"the root" * 100}
IDENTITY = hashlib.sha256(b"".join(IMAGE.values())).hexdigest()
BOX = """\
version: 1
base: debian-12
system: {packages: [tree]}
r: {version: "4.2", packages: {names: [shiny]}}
services: {shiny_server: {}}
apps:
  - {name: a, path: apps/a, include: [.env]}
checks: {files: [checks/test_own.py]}
"""


class Moving(FakeEngine):
    """A stand-in whose base images are files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bases = {IDENTITY: dict(IMAGE)}

    def export_base(self, identity: str, folder: Path) -> tuple[Path, ...]:
        for name, data in self.bases[identity].items():
            (folder / name).write_bytes(data)
        return tuple(folder / name for name in self.bases[identity])

    def has_base(self, identity: str) -> bool:
        return identity in self.bases

    def import_base(self, identity: str, base: str, files: Sequence[Path]) -> None:
        data = [one.read_bytes() for one in files]
        assert hashlib.sha256(b"".join(data)).hexdigest() == identity
        self.bases[identity] = {base: data[0]}


@dataclass
class Site:
    """A host: its folders, and what its provider has."""

    bench: Bench
    fetcher: FakeFetcher
    engine: Moving
    box: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def context(self) -> Context:
        return replace(self.bench.context, provider="incus")

    def placement(self, box: Path | None = None, context: Context | None = None) -> Placement:
        target = str(box or self.box)
        return placement_for(target, Overrides(), context or self.context, cwd=self.box.parent)

    def bundle(self, name: str = "x.sandbox") -> workflow.Bundled:
        output = self.box.parent.parent / name
        return workflow.bundle(self.placement(), output, context=self.context)

    def move(self) -> None:
        """Go to another host: nothing is known there, and there is no network."""
        new = self.box.parent.parent / "elsewhere"
        self.monkeypatch.setenv("XDG_STATE_HOME", str(new / "state"))
        self.monkeypatch.setenv("XDG_CACHE_HOME", str(new / "cache"))
        self.fetcher.web.clear()
        self.fetcher.asked.clear()
        self.fetcher.store = Store()
        self.engine.bases.clear()

    def unpack(self, file: Path) -> unbundle.Unpacked:
        return unbundle.unpack(file, context=self.context)


@pytest.fixture
def site(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    fetcher = FakeFetcher(tmp_path / "cache" / "sandbox", {URL: TREE})
    monkeypatch.setattr(Context, "fetcher", lambda *_, **__: fetcher)
    wanted = f"'{URL}' tree_2-1_amd64.deb {len(TREE)} SHA256:{sha256(TREE).hexdigest()}\n"
    bench.lock_answer = CUT.join((dpkg(("perl", "5.36-7")), wanted, "", ""))
    engine = Moving(tmp_path / "machines")
    bench.engine = engine
    bench.base = PreparedBase("base-debian-12-0", IDENTITY, packages=None)
    folder = tmp_path / "box"
    (folder / "apps/a/www").mkdir(parents=True)
    (folder / "apps/a/empty").mkdir()
    (folder / "apps/a/app.R").write_text("library(shiny)\n")
    (folder / "apps/a/run.sh").write_text("#!/bin/sh\n")
    (folder / "apps/a/run.sh").chmod(0o755)
    (folder / "apps/a/.env").write_text("A=1\n")
    (folder / "apps/a/.Renviron").write_text("PASSWORD=hunter2\n")
    (folder / "apps/a/www/logo").symlink_to("../app.R")
    (folder / "checks").mkdir()
    (folder / "checks/test_own.py").write_text("def test_x(host): assert host\n")
    (folder / "other.txt").write_text("nothing of the box\n")
    (folder / "sandbox.root").touch()
    (folder / "x.yml").write_text(BOX)
    return Site(bench, fetcher, engine, folder / "x.yml", monkeypatch)


def test_the_stand_in_has_the_ability(site: Site) -> None:
    assert isinstance(site.engine, BaseTransfer)
    assert not isinstance(FakeEngine(site.box.parent), BaseTransfer)


def test_a_bundle_has_everything_once_and_no_secret(site: Site) -> None:
    made = site.bundle()
    assert made.path.stat().st_size == made.size_bytes
    names = {one.role: set[str]() for one in made.manifest.blobs}
    for one in made.manifest.blobs:
        names[one.role].add(one.name)
    assert names["base-image"] == set(IMAGE)
    assert names["deb"] == {"tree_2-1_amd64.deb"}
    assert names["lock"] == {"x.lock.yml"}
    assert names["box"] == {"x.yml", "checks/test_own.py"}
    assert names["app"] == {"apps/a/app.R", "apps/a/run.sh", "apps/a/.env"}
    assert "playbooks/site.yml" in names["playbooks"]
    assert b"hunter2" not in made.path.read_bytes()
    assert [one.path for one in made.manifest.tree.links] == ["apps/a/www/logo"]
    assert not list((cache_dir() / "bundles").glob("build-*"))


def test_the_same_box_gives_the_same_bytes(site: Site) -> None:
    assert site.bundle().path.read_bytes() == site.bundle("y.sandbox").path.read_bytes()


def test_elsewhere_it_is_the_same_machine_and_nothing_is_fetched(site: Site) -> None:
    made = site.bundle()
    before = locked_placement(site.placement(), site.context).plan
    site.move()
    found = site.unpack(made.path)
    assert site.engine.has_base(IDENTITY)
    placement = locked_placement(site.placement(found.box), site.context)
    assert placement.plan.key == before.key
    assert placement.plan.apps[0].sha256 == before.apps[0].sha256
    assert placement.plan.check_files[0].read_text() == "def test_x(host): assert host\n"
    assert site.fetcher.asked == []
    # The store has what machines need, and no more
    assert {one.sha256 for one in Store().files()} == {sha256(TREE).hexdigest()}
    assert oct(bundles_dir().stat().st_mode & 0o777) == "0o700"
    assert oct(found.box.stat().st_mode & 0o777) == "0o600"
    assert not (found.box.parent / "other.txt").exists()
    assert not list(bundles_dir().glob("*.lock"))


def test_up_of_the_unpacked_box_and_again(site: Site) -> None:
    made = site.bundle()
    site.move()
    packages = dpkg(("perl", "5.36-7"), ("tree", "2-1"))
    site.bench.base_packages, site.bench.packages = dpkg(("perl", "5.36-7")), packages
    context = replace(site.context, consent=Consent(is_given=True))

    def up() -> bool:
        found = unbundle.unpack(made.path, context=context)
        placement = locked_placement(site.placement(found.box, context), context)
        return site.bench.up(placement).unchanged

    site.bench.context = context
    assert not up()
    assert up()
    assert site.bench.provisioned == 1
    assert unused_bundles() == ()
    assert [one.kind for one in kept_beside(context)] == ["fetched"]


def test_the_base_image_is_asked_for_by_its_identity(site: Site) -> None:
    made = site.bundle()
    site.move()
    found = site.unpack(made.path)
    wanted: list[WantedBase] = []

    def prepare(self: FakeProvider, one: WantedBase, *_: object) -> PreparedBase:
        wanted.append(one)
        return self.base

    site.monkeypatch.setattr(FakeProvider, "prepare_base", prepare)
    prepare_base(site.placement(found.box), site.context)
    prepare_base(site.placement(), site.context)
    assert [one.identity for one in wanted] == [IDENTITY, ""]


def test_the_users_own_mirrors_have_no_part_in_it(site: Site) -> None:
    made = site.bundle()
    site.move()
    found = site.unpack(made.path)
    mirrors = UserConfig.model_validate({"mirrors": {"apt": {"debian": "http://other.example"}}})
    context = replace(site.context, user_config=lambda: mirrors)
    assert site.placement(found.box, context).plan.system.mirror is None
    assert site.placement(None, context).plan.system.mirror is not None


def test_settings_of_the_user_that_get_into_the_machine(site: Site) -> None:
    mirrors = UserConfig.model_validate({"mirrors": {"apt": {"debian": "http://other.example"}}})
    context = replace(site.context, user_config=lambda: mirrors)
    with pytest.raises(UsageError, match="your own settings are a part of this machine"):
        workflow.bundle(
            site.placement(None, context), site.box.parent / "x.sandbox", context=context
        )


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_cut_off_it_is_refused_and_nothing_is_touched(site: Site, part: float) -> None:
    made = site.bundle()
    data = made.path.read_bytes()
    made.path.write_bytes(data[: int(len(data) * part)])
    site.move()
    with pytest.raises(BrokenBundleError, match="is broken: nothing was made of it") as caught:
        site.unpack(made.path)
    assert caught.value.exit_code == 3
    assert not site.engine.bases
    assert not state_dir().exists()
    assert not cache_dir().exists()


def test_a_changed_byte_is_named_by_its_file(site: Site) -> None:
    made = site.bundle()
    made.path.write_bytes(made.path.read_bytes().replace(b"library(shiny)", b"library(shinx)"))
    found = unbundle.verify_bundle(made.path, context=site.context)
    assert found.problems == ("apps/a/app.R (app) has other bytes than its checksum says",)
    with pytest.raises(BrokenBundleError, match="is broken") as caught:
        site.unpack(made.path)
    assert "apps/a/app.R" in caught.value.details


def test_a_whole_bundle_has_no_problems(site: Site) -> None:
    made = site.bundle()
    found = unbundle.verify_bundle(made.path, context=site.context)
    assert (found.problems, found.manifest) == ((), made.manifest)
    assert found.manifest_sha256 == made.manifest_sha256


def test_another_sandbox_is_refused_with_both_versions(site: Site) -> None:
    made = site.bundle()
    site.move()
    site.monkeypatch.setattr("sandbox.workflows.unbundle.recipe_digest", lambda: "cd" * 32)
    with pytest.raises(OtherSandboxError, match="would make another machine") as caught:
        site.unpack(made.path)
    assert made.manifest.recipe[:12] in caught.value.details
    assert "cdcdcdcdcdcd" in caught.value.details
    assert not site.engine.bases


def test_another_processor_or_provider(site: Site) -> None:
    made = site.bundle()
    site.move()
    with pytest.raises(UsageError, match="is for incus, not libvirt"):
        unbundle.unpack(made.path, context=replace(site.context, provider="libvirt"))
    site.monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(OtherSandboxError, match="this host is pdp11"):
        site.unpack(made.path)


def test_a_provider_that_cannot(site: Site) -> None:
    site.bench.engine = FakeEngine(site.box.parent)
    with pytest.raises(UsageError, match="a VM's base image cannot be made yet") as caught:
        site.bundle()
    assert "--provider incus" in caught.value.hint


def test_a_stale_lock_is_refused_with_the_command(site: Site) -> None:
    site.bundle()
    site.box.write_text(BOX.replace("[tree]", "[tree, jq]"))
    with pytest.raises(DiffersFromLockError, match="the box differs from its lock") as caught:
        site.bundle("y.sandbox")
    assert "sandbox lock" in caught.value.hint


def test_another_build_of_the_base_image(site: Site) -> None:
    site.bundle()
    site.bench.base = PreparedBase("base-debian-12-0", "0" * 64, packages=None)
    with pytest.raises(DiffersFromLockError, match="another build than the one that was locked"):
        site.bundle("y.sandbox")


def test_a_link_out_of_the_folder(site: Site) -> None:
    (site.box.parent / "apps/a/out").symlink_to("/etc/hostname")
    with pytest.raises(BoxError, match="cannot be put into a bundle") as caught:
        site.bundle()
    assert "the link apps/a/out leads to /etc/hostname" in caught.value.details
    assert not (site.box.parent.parent / "x.sandbox").exists()


def test_an_absolute_path_means_nothing_elsewhere(site: Site) -> None:
    site.box.write_text(BOX.replace("apps/a,", f"{site.box.parent}/apps/a,"))
    with pytest.raises(BoxError, match="cannot be put into a bundle"):
        site.bundle()


def test_a_place_that_cannot_be_written(site: Site) -> None:
    for output in (site.box.parent, site.box.parent / "no" / "x.sandbox"):
        with pytest.raises(UsageError):
            workflow.bundle(site.placement(), output, context=site.context)
    assert site.bench.asked_for_lock == []


def test_a_box_that_somebody_changed_is_laid_out_again(site: Site) -> None:
    made = site.bundle()
    site.move()
    box = site.unpack(made.path).box
    (box.parent / "apps/a/app.R").write_text("changed\n")
    (box.parent / "apps/a/more.R").write_text("more\n")
    again = site.unpack(made.path).box
    assert again == box
    assert (box.parent / "apps/a/app.R").read_text() == "library(shiny)\n"
    assert not (box.parent / "apps/a/more.R").exists()


def test_a_bundle_whose_box_is_another_one(site: Site) -> None:
    """Whole by every checksum, and still not what it says."""
    made = site.bundle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox.bundle.model.Manifest.text", _with_other_key)
        again = site.bundle("y.sandbox")
    assert made.manifest.plan_key != "0" * 12
    found = unbundle.verify_bundle(again.path, context=site.context)
    assert found.problems == ()
    with pytest.raises(BrokenBundleError, match="is not the one that the bundle says"):
        site.unpack(again.path)
    assert unused_bundles() == ()


def _with_other_key(manifest: Manifest) -> bytes:
    content = json.loads(manifest.model_dump_json())
    return json.dumps({**content, "plan_key": "0" * 12}).encode()


def test_pruning_removes_what_no_sandbox_uses(site: Site) -> None:
    made = site.bundle()
    box = site.unpack(made.path).box
    assert [one.kind for one in kept_beside(site.context)] == ["bundle", "fetched"]
    kinds = [one.kind for one in prune_beside(PruneRule(), site.context, dry_run=False)]
    assert "bundle" in kinds
    assert not box.exists()


def test_what_up_takes_for_a_bundle(site: Site, tmp_path: Path) -> None:
    made = site.bundle()
    other = tmp_path / "named.otherwise"
    other.write_bytes(made.path.read_bytes()[:600])
    empty = tmp_path / "empty.sandbox"
    empty.touch()
    for word, expected in [
        ("x.sandbox", made.path),
        ("./named.otherwise", other),
        ("empty.sandbox", empty),
        ("box/x.yml", None),
        ("box/other.txt", None),
        ("x", None),
        ("no.sandbox", None),
        (None, None),
    ]:
        assert bundle_at(word, cwd=tmp_path) == expected


def test_other_boxes_have_no_manifest(site: Site) -> None:
    assert manifest_of(site.box) is None
