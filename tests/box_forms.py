"""What makes a disk a Vagrant box, for each provider that takes one."""

from sandbox.providers.libvirt.box_form import LIBVIRT_BOX
from sandbox.providers.vagrant.box_files import BoxForm
from sandbox.providers.vagrant.files import VmProvider
from sandbox.providers.virtualbox.box_form import VIRTUALBOX_BOX

FORMS: dict[VmProvider, BoxForm] = {"libvirt": LIBVIRT_BOX, "virtualbox": VIRTUALBOX_BOX}
