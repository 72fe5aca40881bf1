"""libvirt: virtual machines on Linux, through QEMU, with KVM or without; driven by Vagrant."""
