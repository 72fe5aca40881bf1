"""VirtualBox: virtual machines on any host that has it; driven by Vagrant."""
