"""The programs that build a virtual machine's base image, and the packages they are in."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

GRUB_DIR = Path("/usr/lib/grub/i386-pc")
"""The boot loader's parts; this package only brings the files, and installs no boot loader here."""

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class BuildTool:
    """A program, and the Debian package that has it."""

    command: str
    package: str


TOOLS = (
    BuildTool("mmdebstrap", "mmdebstrap"),
    BuildTool("mke2fs", "e2fsprogs"),
    BuildTool("grub-mkimage", "grub-common"),
    BuildTool("qemu-img", "qemu-utils"),
    BuildTool("tar", "tar"),
)
WITHOUT_ROOT = BuildTool("fakeroot", "fakeroot")
"""Lets a user who is not root make files that belong to root, inside the image."""


def tool_path() -> str:
    """Return PATH, with the folders of administrators' programs, which a user's own often lacks."""
    return f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"


def missing_tools() -> tuple[str, ...]:
    """List the packages that this host lacks to build a virtual machine's image as this user."""
    tools = TOOLS if os.geteuid() == 0 else (*TOOLS, WITHOUT_ROOT)
    path = tool_path()
    missing = [tool.package for tool in tools if shutil.which(tool.command, path=path) is None]
    if not (GRUB_DIR / "boot.img").is_file():
        missing.append("grub-pc-bin")
    return tuple(missing)


def host_architecture() -> str:
    """Name this host's architecture, and its machines', as Vagrant does: amd64, arm64."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
