"""A virtual machine's image: what is in it on top, what its disk begins with, and its name."""

import struct
from pathlib import Path

import pytest

from sandbox.errors import ProviderError
from sandbox.images.disk import DISK_GB, master_boot_record, write_boot_code
from sandbox.images.recipe import PACKAGES, Recipe, mmdebstrap_argv, settle_script
from sandbox.images.vm_recipe import GRUB_CONFIG, MKE2FS_CONF, vm_form
from sandbox.providers.vagrant.box_files import wrapping
from sandbox.providers.vagrant.files import BOX_USER, INSECURE_KEY
from sandbox.spec.base_models import Base, PublicBox
from tests.box_forms import FORMS
from tests.unit.factories import BASE


def a_recipe(base: Base = BASE, wrapped: str = "") -> Recipe:
    return Recipe(
        base,
        "x86_64",
        "build",
        form=vm_form(login_user=BOX_USER, authorized_key=INSECURE_KEY),
        wrapping=wrapped,
    )


def test_one_recipe_for_containers_and_machines() -> None:
    container, machine = (
        mmdebstrap_argv(recipe, rootfs="/r", index="/i", unshare=False)
        for recipe in (Recipe(BASE, "x86_64", "build"), a_recipe())
    )
    (included,) = [word for word in machine if word.startswith("--include=")]
    assert set(PACKAGES) < set(included.removeprefix("--include=").split(","))
    assert "linux-image-amd64" in included
    assert not [word for word in container if "linux-image" in word or "essential-hook" in word]


def test_no_placeholder_is_left_and_nothing_for_containers_is_masked() -> None:
    images = BASE.images.model_copy(update={"masked_units": ("systemd-udevd.service",)})
    base = BASE.model_copy(update={"images": images})
    form = vm_form(login_user=BOX_USER, authorized_key=INSECURE_KEY)
    scripts = (form.before_packages, form.after_settling, settle_script(base, form))
    for script in scripts:
        assert not [word for word in script.split() if word.startswith("@")]
    assert "systemd-udevd.service" in settle_script(base)
    assert "systemd-udevd.service" not in settle_script(base, form)
    assert INSECURE_KEY in form.after_settling
    assert "useradd --system --create-home" in settle_script(base, form)
    assert " vagrant\n" in settle_script(base, form)


def test_the_name_follows_the_content() -> None:
    keys = {
        Recipe(BASE, "x86_64", "build").key,
        a_recipe().key,
        a_recipe(wrapped=wrapping(FORMS["libvirt"])).key,
        a_recipe(wrapped=wrapping(FORMS["virtualbox"])).key,
    }
    assert len(keys) == 4


def test_what_others_publish_does_not_decide_the_name_of_what_we_build() -> None:
    public = PublicBox(box="debian/bookworm64", box_version="12.1")
    images = BASE.images.model_copy(update={"libvirt_public": public})
    other = BASE.model_copy(update={"images": images})
    assert a_recipe(other).key == a_recipe().key
    assert Recipe(other, "x86_64", "public").key == Recipe(BASE, "x86_64", "public").key


def test_the_partition_table() -> None:
    sectors = DISK_GB * 1024**3 // 512
    record = master_boot_record(b"\xeb" * 512, sectors)
    assert len(record) == 512
    assert record[:440] == b"\xeb" * 440
    assert record[510:] == b"\x55\xaa"
    active, _, kind, _, first, length = struct.unpack("<B3sB3sII", record[446:462])
    assert (active, kind, first) == (0x80, 0x83, 2048)
    assert first + length == sectors
    assert record[462:510] == bytes(48)


def test_grub_must_fit_in_front_of_the_partition(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(2 * 1024**2))
    with pytest.raises(ProviderError, match="does not fit"):
        write_boot_code(path, bytes(512), bytes(2047 * 512 + 1))
    assert path.read_bytes() == bytes(2 * 1024**2)
    write_boot_code(path, bytes(512), b"core")
    assert path.read_bytes()[512:516] == b"core"


def test_every_debian_of_ours_can_read_the_file_system() -> None:
    # orphan_file and metadata_csum_seed are what GRUB 2.06 and Debian 11 do not know
    assert "orphan_file" not in MKE2FS_CONF
    assert "csum_seed" not in MKE2FS_CONF
    assert GRUB_CONFIG.splitlines()[0].startswith("linux /vmlinuz root=LABEL=sandbox-root ro ")
    assert "net.ifnames=0" in GRUB_CONFIG
