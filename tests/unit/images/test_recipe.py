"""What an image is made of decides its name; nothing secret decides or enters it."""

from pathlib import Path

import pytest

from sandbox.errors import BoxError
from sandbox.images import sources as sources_module
from sandbox.images.recipe import Recipe, Sources, mmdebstrap_argv, settle_script
from sandbox.images.sources import Archive, choose_sources, unusable
from sandbox.spec.base_models import Base, BaseImages
from sandbox.spec.models import Mirror
from tests.unit.factories import BASE

HOST = (
    Archive("http://mirror.example/debian/", "bookworm", "main"),
    Archive("http://mirror.example/debian/", "bookworm", "contrib"),
    Archive("http://mirror.example/debian/", "bookworm-updates", "main"),
    Archive("http://mirror.example/security/", "bookworm-security", "main"),
    Archive("http://mirror.example/debian/", "bookworm-backports", "main"),
)


@pytest.fixture(autouse=True)
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys.gpg"
    path.touch()
    monkeypatch.setattr(sources_module, "KEYRING", path)
    return path


def masking(*units: str) -> Base:
    images = BaseImages(incus_public="images:debian/12", masked_units=units)
    return BASE.model_copy(update={"images": images})


def test_the_hosts_mirror_is_used_for_its_own_suite(keyring: Path) -> None:
    chosen = choose_sources(BASE, None, HOST)
    assert chosen.lines == (
        f"deb [signed-by={keyring}] http://mirror.example/debian/ bookworm main",
        f"deb [signed-by={keyring}] http://mirror.example/debian/ bookworm-updates main",
        f"deb [signed-by={keyring}] http://mirror.example/security/ bookworm-security main",
    )


def test_another_suite_takes_the_default() -> None:
    other = BASE.model_copy(update={"suite": "trixie"})
    assert choose_sources(other, None, HOST) == Sources()
    assert choose_sources(BASE, None, ()) == Sources()


def test_the_boxs_mirror_goes_first() -> None:
    mirror = Mirror(debian="https://own.example/debian", security="https://own.example/sec")
    lines = choose_sources(BASE, mirror, HOST).lines
    assert [line.split("] ")[1] for line in lines] == [
        "https://own.example/debian bookworm main",
        "https://own.example/debian bookworm-updates main",
        "https://own.example/sec bookworm-security main",
    ]


@pytest.mark.parametrize(
    "uri",
    [
        "https://me:secret@mirror.example/debian/",
        "https://token@mirror.example/debian/",
        "file:/srv/debian/",
        "http://127.0.0.1:3142/debian/",
        "http://[::1]/debian/",
        "http://localhost:3142/debian/",
        "http://mirror.example/debian?token=secret",
        "mirror+file:/etc/apt/mirrors",
        "http://[bad/debian",
    ],
)
def test_a_mirror_that_must_not_be_in_an_image(uri: str) -> None:
    archives = (Archive(uri, "bookworm", "main"),)
    chosen = choose_sources(BASE, None, archives)
    assert chosen.lines == ()
    assert "not used" in chosen.note
    assert "secret" not in chosen.note
    assert "token@" not in chosen.note


def test_an_ordinary_mirror_may_be() -> None:
    assert unusable("http://192.168.1.5:3142/debian") == ""


def test_without_the_keys_the_default_is_taken(keyring: Path) -> None:
    keyring.unlink()
    chosen = choose_sources(BASE, None, HOST)
    assert chosen.lines == ()
    assert str(keyring) in chosen.note


def test_the_key_follows_what_goes_in() -> None:
    recipe = Recipe(BASE, "x86_64", "build")
    others = (
        Recipe(masking("a.service"), "x86_64", "build"),
        Recipe(BASE, "aarch64", "build"),
        Recipe(BASE, "x86_64", "public"),
        Recipe(BASE, "x86_64", "build", Sources(("deb http://mirror.example bookworm main",))),
    )
    keys = {recipe.key, *(other.key for other in others)}
    assert len(keys) == 5
    assert recipe.key == Recipe(BASE, "x86_64", "build", Sources(note="said only")).key
    assert recipe.alias == f"base-debian-12-{recipe.key}"
    assert len(recipe.key) == 12


def test_what_mmdebstrap_still_needs_is_left_alone() -> None:
    """Without the apt.conf in the root's /tmp, mmdebstrap's own clean-up works on the host."""
    commands = [line for line in settle_script(BASE).splitlines() if not line.startswith("#")]
    assert not [line for line in commands if "$root/tmp" in line or '"$root"/tmp' in line]


def test_units_are_masked() -> None:
    assert "for unit in a.service 'x\\x2dy.mount'; do" in settle_script(
        masking("a.service", "x\\x2dy.mount")
    )


@pytest.mark.parametrize("unit", ["$(id).service", "a b.service", "a", "../a.service", "a;.mount"])
def test_a_hostile_unit_name(unit: str) -> None:
    with pytest.raises(BoxError):
        settle_script(masking(unit))


def test_the_command() -> None:
    recipe = Recipe(BASE, "aarch64", "build", Sources(("deb http://m bookworm main",)))
    argv = mmdebstrap_argv(recipe, rootfs="/r.tar", index="/with space/i.gz", unshare=True)
    assert "--mode=unshare" in argv
    assert "--architectures=arm64" in argv
    assert argv[-3:] == ("bookworm", "/r.tar", "deb http://m bookworm main")
    assert any(word.endswith("'/with space/i.gz'") for word in argv)
