"""Found or made, once, by whoever comes first; killed builds are cleared away."""

import gzip
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import BoxError, CommandError, HostError, ProviderError
from sandbox.events import Event, Notice, ignore
from sandbox.fetch.routes import Routes
from sandbox.images import build
from sandbox.images.build import Obstacle
from sandbox.images.package_index import available_packages
from sandbox.images.recipe import Recipe, Sources
from sandbox.providers.base_images import WantedBase
from sandbox.providers.incus import base_image
from sandbox.providers.incus.base_image import ensure_base
from sandbox.providers.incus.base_transfer import exact_base
from sandbox.providers.incus.client import ExistsError, IncusClient
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.project_images import KEY_PROPERTY, BaseImage
from sandbox.providers.incus.provider import PROVIDER as INCUS
from sandbox.providers.place import Place
from sandbox.run import Completed
from sandbox.spec.mirrors import Mirrors
from tests.unit.factories import BASE


class FakeIncus(IncusClient):
    """Images and aliases in memory."""

    def __init__(self) -> None:
        super().__init__(IncusPlace.from_prefix("sandbox"))
        self.images: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, str] = {}
        self.commands: list[tuple[str, ...]] = []
        self.lock = threading.Lock()
        self.next_key = ""

    def run(self, *args: str | Path, **_: Any) -> Completed:
        words = tuple(str(arg) for arg in args)
        self.commands.append(words)
        fingerprint = f"{len(self.commands):064x}"
        if words[:2] == ("image", "import"):
            self.images[fingerprint] = {KEY_PROPERTY: self.next_key}
        return Completed(words, 0, f"Fingerprint: {fingerprint}\n", "", 0.0)

    def query(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        timeout_s: float = 30,
        wait: bool = True,
    ) -> Any:
        if path == "/1.0":
            return {"environment": {"architectures": ["x86_64", "i686"]}}
        if method == "GET" and path == "/1.0/images":
            return [
                {
                    "fingerprint": known,
                    "properties": properties,
                    "aliases": [{"name": n} for n, to in self.aliases.items() if to == known],
                }
                for known, properties in self.images.items()
            ]
        if method == "POST" and data is not None:
            if data["name"] in self.aliases:
                raise ExistsError("Incus has that already")
            self.aliases[data["name"]] = data["target"]
        elif method == "PUT" and data is not None:
            self.aliases[path.rsplit("/", 1)[-1]] = data["target"]
        elif method == "DELETE":
            del self.images[path.rsplit("/", 1)[-1]]
        return None

    def exists(self, *path: str) -> bool:
        return path[-1] in self.images


@pytest.fixture
def incus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeIncus:
    incus = FakeIncus()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(base_image, "host_archives", lambda: ())
    monkeypatch.setattr(build, "obstacle", lambda *_, **__: None)

    def build_root(recipe: Recipe, work: Path, log: Path, listener: object, **_: Any) -> Path:
        incus.commands.append(("build", recipe.base.name))
        incus.next_key = recipe.key
        time.sleep(0.05)
        (work / build.INDEX_NAME).write_bytes(gzip.compress(b"r-base-core\nr-cran-shiny\n"))
        (work / "rootfs.tar").write_bytes(b"root")
        return work / "rootfs.tar"

    monkeypatch.setattr(build, "build_root", build_root)
    return incus


def ensure(incus: FakeIncus, *, refresh: bool = False) -> BaseImage:
    return ensure_base(
        BASE, client=incus, source="build", mirror=None, listener=ignore, refresh=refresh
    )


def builds(incus: FakeIncus) -> int:
    return sum(words[0] == "build" for words in incus.commands)


def test_built_once_and_found_again(incus: FakeIncus) -> None:
    made = ensure(incus)
    assert made == ensure(incus)
    assert builds(incus) == 1
    assert incus.aliases == {made.image: made.fingerprint}
    assert available_packages(made) == frozenset({"r-base-core", "r-cran-shiny"})


def test_two_that_want_it_build_it_once(incus: FakeIncus) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: ensure(incus), range(2))
    assert first == second
    assert builds(incus) == 1


def test_an_import_that_was_killed_before_its_alias(incus: FakeIncus) -> None:
    made = ensure(incus)
    incus.aliases.clear()
    assert ensure(incus).fingerprint == made.fingerprint
    assert incus.aliases == {made.image: made.fingerprint}
    assert builds(incus) == 1


def test_refresh_replaces_the_image(incus: FakeIncus) -> None:
    old = ensure(incus)
    new = ensure(incus, refresh=True)
    assert new.alias == old.alias
    assert list(incus.images) == [new.fingerprint] != [old.fingerprint]


def test_an_image_removed_from_incus_is_made_again(incus: FakeIncus) -> None:
    ensure(incus)
    incus.images.clear()
    incus.aliases.clear()
    ensure(incus)
    assert builds(incus) == 2


def test_leftovers_of_a_killed_build_are_removed(incus: FakeIncus, tmp_path: Path) -> None:
    folder = tmp_path / "sandbox" / "images" / Recipe(BASE, "x86_64", "build").key
    (folder / "build-old" / "root").mkdir(parents=True)
    (folder / "build-old" / "rootfs.tar").write_bytes(b"half")
    ensure(incus)
    assert sorted(path.name for path in folder.iterdir()) == ["lock", build.INDEX_NAME]


def test_a_failed_build_leaves_nothing(
    incus: FakeIncus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise ProviderError("the mirror is gone")

    monkeypatch.setattr(build, "build_root", fail)
    with pytest.raises(ProviderError, match="the mirror is gone"):
        ensure(incus)
    assert incus.images == {}
    assert not list(tmp_path.glob("sandbox/images/*/build-*"))


def test_a_choice_made_for_the_user_is_told(
    incus: FakeIncus, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Event] = []
    monkeypatch.setattr(base_image, "choose_sources", lambda *_: Sources(note="not that mirror"))
    ensure_base(BASE, client=incus, source="build", mirror=None, listener=heard.append)
    assert Notice("debian-12", "not that mirror") in heard


def test_the_index_is_a_convenience(incus: FakeIncus) -> None:
    made = ensure(incus)
    assert made.package_index_path is not None
    made.package_index_path.write_bytes(b"\x1f\x8b cut off")
    assert available_packages(made) is None
    made.package_index_path.unlink()
    assert available_packages(made) is None
    assert ensure(incus).package_index_path is None


def test_a_public_image_is_copied_into_our_project(incus: FakeIncus) -> None:
    made = ensure_base(BASE, client=incus, source="public", mirror=None, listener=ignore)
    copy = incus.commands[-1]
    assert copy[:3] == ("image", "copy", "images:debian/12")
    assert copy[-2:] == ("--target-project", "sandbox")
    assert made.package_index_path is None
    assert made.alias in incus.aliases


def test_a_mirror_of_the_image_server_is_asked_by_the_daemon(
    incus: FakeIncus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    plain = FakeIncus.query

    def query(its: FakeIncus, method: str, path: str, data: Any = None, **rest: Any) -> Any:
        if (method, path) == ("POST", "/1.0/images"):
            asked.append(data["source"])
            its.images["f" * 64] = {}
            return {"class": "task", "metadata": {"fingerprint": "f" * 64}}
        return plain(its, method, path, data, **rest)

    monkeypatch.setattr(FakeIncus, "query", query)
    routes = Routes(Mirrors(incus_images="https://in.example/images"))
    made = ensure_base(
        BASE, client=incus, source="public", mirror=None, listener=ignore, routes=lambda: routes
    )
    assert made.fingerprint == "f" * 64
    (source,) = asked
    assert (source["server"], source["alias"]) == ("https://in.example/images", "debian/12")
    assert (source["protocol"], source["mode"]) == ("simplestreams", "pull")
    assert [words for words in incus.commands if words[0] == "image"] == []


def test_a_public_name_never_becomes_an_option(incus: FakeIncus) -> None:
    images = BASE.images.model_copy(update={"incus_public": "--verbose"})
    base = BASE.model_copy(update={"images": images})
    with pytest.raises(BoxError, match="--verbose"):
        ensure_base(base, client=incus, source="public", mirror=None, listener=ignore)


@pytest.mark.parametrize(
    ("why", "auto"),
    [(Obstacle("not a Debian"), "public"), (None, "build")],
)
def test_what_auto_means(
    incus: FakeIncus, monkeypatch: pytest.MonkeyPatch, why: Obstacle | None, auto: str
) -> None:
    monkeypatch.setattr(build, "obstacle", lambda *_, **__: why)
    assert base_image.choose_kind("auto", "x86_64") == auto


def test_what_cannot_be_built_here(incus: FakeIncus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "obstacle", lambda *_, **__: Obstacle("not a Debian", "other way"))
    with pytest.raises(HostError) as caught:
        ensure(incus)
    assert (caught.value.details, caught.value.hint) == ("not a Debian", "other way")
    # A Debian that only lacks the tool is told so, not sent to a download
    missing = Obstacle("no mmdebstrap", could_be_mended=True)
    monkeypatch.setattr(build, "obstacle", lambda *_, **__: missing)
    with pytest.raises(HostError):
        base_image.choose_kind("auto", "x86_64")


@pytest.mark.parametrize(
    ("said", "family", "words"),
    [
        ("E: write error: No space left on device", HostError, "no space left"),
        ("E: Could not resolve 'mirror.example'", ProviderError, "cannot be reached"),
        ("newuidmap: not allowed", HostError, "as this user"),
        ("E: something else", ProviderError, "cannot build"),
    ],
)
def test_what_mmdebstrap_says(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    said: str,
    family: type[Exception],
    words: str,
) -> None:
    def fail(*_: object, **__: object) -> Completed:
        raise CommandError("failed", returncode=1, stderr=said, details=said)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "run", fail)
    monkeypatch.setattr(build, "host_proxy", lambda _: None)
    with pytest.raises(family, match=words) as caught:
        build.build_root(Recipe(BASE, "x86_64", "build"), tmp_path, tmp_path / "log", ignore)
    assert said in getattr(caught.value, "details", "")


FINGERPRINT = "ab" * 32


class Exporting(FakeIncus):
    """Writes these files when an image is exported, and gives every import one fingerprint."""

    def __init__(self, files: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.files = files
        self.deleted: list[str] = []

    def run(self, *args: str | Path, **_: Any) -> Completed:
        words = tuple(str(arg) for arg in args)
        self.commands.append(words)
        if words[1] == "export":
            Path(words[3]).mkdir(exist_ok=True)
            for name in self.files:
                (Path(words[3]) / name).touch()
        else:
            self.images[FINGERPRINT] = {}
        return Completed(words, 0, f"Image imported with fingerprint: {FINGERPRINT}\n", "", 0.0)

    def query(self, method: str, path: str, *args: Any, **more: Any) -> Any:
        if method == "DELETE":
            self.deleted.append(path)
            return None
        return super().query(method, path, *args, **more)


def test_no_other_box_starts_from_an_image_of_a_bundle(tmp_path: Path) -> None:
    incus = Exporting()
    engine = IncusEngine(incus.place)
    engine.client = incus
    files = [tmp_path / "meta.tar", tmp_path / "root.tar"]
    engine.import_base(FINGERPRINT, "debian-12", files)
    (words,) = incus.commands
    assert words == ("image", "import", *map(str, files), "local:", f"{KEY_PROPERTY}=")
    assert incus.aliases == {f"base-bundled-debian-12-{FINGERPRINT[:12]}": FINGERPRINT}
    assert engine.has_base(FINGERPRINT)
    found = exact_base(incus, "debian-12", FINGERPRINT)
    assert found == BaseImage(f"base-bundled-debian-12-{FINGERPRINT[:12]}", FINGERPRINT, None)
    assert exact_base(incus, "debian-12", "f" * 64) is None


def test_an_image_that_is_another_one_is_removed(tmp_path: Path) -> None:
    incus = Exporting()
    engine = IncusEngine(incus.place)
    engine.client = incus
    with pytest.raises(ProviderError, match="another one than the bundle says"):
        engine.import_base("e" * 64, "debian-12", [tmp_path / "x.tar"])
    assert incus.deleted == [f"/1.0/images/{FINGERPRINT}"]
    assert incus.aliases == {}


def test_an_image_comes_out_with_what_describes_it_first(tmp_path: Path) -> None:
    incus = Exporting(("0.squashfs", "meta-0.tar.xz"))
    engine = IncusEngine(incus.place)
    engine.client = incus
    found = engine.export_base(FINGERPRINT, tmp_path)
    assert [one.name for one in found] == ["meta-0.tar.xz", "0.squashfs"]
    assert incus.commands == [("image", "export", f"local:{FINGERPRINT}", str(tmp_path))]
    engine.client = Exporting()
    with pytest.raises(ProviderError, match="wrote nothing"):
        engine.export_base(FINGERPRINT, tmp_path / "none")


def test_a_bundle_asks_for_its_image_and_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    incus = Exporting()
    monkeypatch.setattr("sandbox.providers.incus.client.IncusClient", lambda _: incus)

    def never() -> tuple[()]:
        raise AssertionError("apt was asked")

    wanted = WantedBase(BASE, identity=FINGERPRINT, archives=never)
    with pytest.raises(ProviderError, match="is not here any more") as caught:
        INCUS.prepare_base(wanted, Place("sandbox"), ignore)
    assert "sandbox up FILE" in caught.value.hint
    incus.images[FINGERPRINT] = {}
    found = INCUS.prepare_base(wanted, Place("sandbox"), ignore)
    assert (found.identity, found.packages) == (FINGERPRINT, None)
