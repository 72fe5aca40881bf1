"""The files around a box's disk."""

import json
from xml.etree import ElementTree

from sandbox.images.disk import DISK_GB
from sandbox.providers.vagrant.box_files import box_files, catalogue
from sandbox.providers.virtualbox.box_form import BASE_MAC
from tests.box_forms import FORMS

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
VBOX = "{http://www.virtualbox.org/ovf/machine}"


def test_libvirt_is_told_format_and_size() -> None:
    files = box_files(FORMS["libvirt"], key="0123", disk_bytes=7)
    metadata = json.loads(files["metadata.json"])
    assert metadata["provider"] == "libvirt"
    assert metadata["format"] == "qcow2"
    assert metadata["virtual_size"] == DISK_GB
    assert metadata["architecture"] == "amd64"
    assert metadata["sandbox"]["files"][FORMS["libvirt"].disk_name] == 7
    assert set(metadata["sandbox"]["files"]) == {*files, "box.img"} - {"metadata.json"}
    assert "sshd" not in files["Vagrantfile"]


def test_virtualbox_gets_a_machine_that_it_can_import() -> None:
    files = box_files(FORMS["virtualbox"], key="0123", disk_bytes=99)
    envelope = ElementTree.fromstring(files["box.ovf"])
    (file,) = envelope.iter(f"{OVF}File")
    assert file.get(f"{OVF}href") == FORMS["virtualbox"].disk_name
    assert file.get(f"{OVF}size") == "99"
    (disk,) = envelope.iter(f"{OVF}Disk")
    assert disk.get(f"{OVF}capacity") == str(DISK_GB * 1024**3)
    (image,) = envelope.iter(f"{OVF}Image")
    assert image.get("uuid") == "{" + str(disk.get(f"{VBOX}uuid")) + "}"
    (clock,) = envelope.iter(f"{OVF}RTC")
    assert clock.get("localOrUTC") == "UTC"
    (card,) = envelope.iter(f"{OVF}Adapter")
    assert card.get("MACAddress") == BASE_MAC
    assert f'config.vm.base_mac = "{BASE_MAC}"' in files["Vagrantfile"]
    assert "@" not in files["box.ovf"]


def test_the_catalogue_names_one_box_with_its_checksum() -> None:
    text = catalogue("debian/x", "1.2.3", "libvirt", "file:///x.box", sha256="ab" * 32)
    (version,) = json.loads(text)["versions"]
    assert version["version"] == "1.2.3"
    (provider,) = version["providers"]
    assert provider["checksum_type"] == "sha256"
    assert provider["checksum"] == "ab" * 32
    assert "checksum" not in catalogue("sandbox/x", "1.0.0", "libvirt", "file:///x.box")
