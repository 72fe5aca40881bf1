"""Ubuntu's roots: from a mirror that is named, with Ubuntu's keys, and like Ubuntu's own."""

from pathlib import Path

import pytest

from sandbox.errors import HostError
from sandbox.images import sources as sources_module
from sandbox.images.recipe import Recipe, Sources, mmdebstrap_argv
from sandbox.images.sources import Archive, NoMirrorError, choose_sources
from sandbox.images.vm_recipe import vm_form
from sandbox.render import render_bootstrap
from sandbox.spec.bases import load_bases
from sandbox.spec.models import Mirror
from tests.unit.factories import plain_plan

NOBLE = load_bases()["ubuntu-24.04"]
MIRROR = Mirror(ubuntu="http://mirror.example/ubuntu")


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys.gpg"
    path.touch()
    monkeypatch.setattr(sources_module, "UBUNTU_KEYRING", path)
    return path


def test_the_boxs_mirror_with_main_and_universe(keyring: Path) -> None:
    assert choose_sources(NOBLE, MIRROR, ()).lines == tuple(
        f"deb [signed-by={keyring}] http://mirror.example/ubuntu noble{suite} main universe"
        for suite in ("", "-updates", "-security")
    )


def test_an_ubuntu_hosts_own_mirror(keyring: Path) -> None:
    host = [
        Archive("http://a.example/ubuntu", suite, component)
        for suite in ("noble", "noble-updates")
        for component in ("main", "restricted", "universe")
    ]
    assert choose_sources(NOBLE, None, host).lines == tuple(
        f"deb [signed-by={keyring}] http://a.example/ubuntu {suite} {component}"
        for suite in ("noble", "noble-updates")
        for component in ("main", "universe")
    )


def test_without_a_mirror_it_cannot_be_built(keyring: Path) -> None:
    del keyring
    for mirror in (None, Mirror(debian="http://mirror.example/debian")):
        with pytest.raises(NoMirrorError, match="this host knows no Ubuntu mirror") as caught:
            choose_sources(NOBLE, mirror, ())
        assert "--base-source public" in caught.value.hint


def test_without_ubuntus_keys_nothing_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources_module, "UBUNTU_KEYRING", tmp_path / "gone.gpg")
    with pytest.raises(HostError, match="the keys by which") as caught:
        choose_sources(NOBLE, MIRROR, ())
    assert not isinstance(caught.value, NoMirrorError)
    assert "apt-get install ubuntu-archive-keyring" in caught.value.hint


def test_a_mirror_with_a_login_gets_into_no_image(keyring: Path) -> None:
    del keyring
    with pytest.raises(NoMirrorError, match="carries a login"):
        choose_sources(NOBLE, Mirror(ubuntu="http://me:secret@mirror.example/ubuntu"), ())


@pytest.mark.parametrize(("name", "merges"), [("ubuntu-22.04", True), ("ubuntu-24.04", False)])
def test_jammy_alone_needs_its_usr_merged(name: str, *, merges: bool) -> None:
    recipe = Recipe(load_bases()[name], "x86_64", "build", Sources(("deb x",)))
    argv = mmdebstrap_argv(recipe, rootfs="/r", index="/i", unshare=False)
    (included,) = (word for word in argv if word.startswith("--include="))
    assert ("usrmerge" in included) is merges


def test_a_virtual_machine_gets_ubuntus_kernel_and_the_links_that_grub_reads() -> None:
    form = vm_form(login_user="vagrant", authorized_key="ssh-rsa x", distribution="ubuntu")
    assert "linux-image-virtual" in form.packages
    assert "link_in_boot = no" in form.before_packages
    debian = vm_form(login_user="vagrant", authorized_key="ssh-rsa x")
    assert "linux-image-amd64" in debian.packages
    assert "kernel-img" not in debian.before_packages


def test_the_bootstrap_script_of_ubuntu() -> None:
    plan = plain_plan()
    system = plan.system.model_copy(update={"mirror": MIRROR})
    script = render_bootstrap(plan.model_copy(update={"base": NOBLE, "system": system}))
    for words in (
        "keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        "mirror=http://mirror.example/ubuntu",
        'lines="deb $signed$mirror $suite main universe',
        "deb $signed$security $suite-security main universe",
        "cloud-init status --wait",
    ):
        assert words in script, words
    debian = render_bootstrap(plan)
    assert "cloud-init" not in debian
