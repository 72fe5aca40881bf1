"""The content of a base image: packages, and the changes that turn a Debian root into one of ours.

Pure: text in, text out. Everything here decides the image's name, so that a changed recipe never
uses the image of an older one.
"""

import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from typing import Literal

from sandbox.architecture import DEBIAN_ARCHITECTURES
from sandbox.errors import BoxError
from sandbox.spec.base_models import Base

LOGIN_USER = "sandbox"
"""The account that ssh and Ansible use; a system account, so that people's start at uid 1000."""

# Each package has a reason: an init that logins register with (systemd-sysv, dbus,
# libpam-systemd), DHCP as on Debian's servers (ifupdown, isc-dhcp-client, iproute2 and netbase),
# the login (openssh-server, sudo), Ansible's needs (python3, python3-apt), https (ca-certificates),
# and tools for checks and admins (procps, tzdata). No curl: a package that needs curl brings it
# along.
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "udev",
    "iproute2",
    "ifupdown",
    "isc-dhcp-client",
    "openssh-server",
    "sudo",
    "python3",
    "python3-apt",
    "ca-certificates",
    "netbase",
    "procps",
    "tzdata",
)


ADDED_PACKAGES = {"jammy": ("usrmerge",)}
"""By suite: Ubuntu 22.04 is installed with a merged /usr, and its archive alone makes another."""


@dataclass(frozen=True)
class Form:
    """The purpose of a root, and its changes on top of what every image of a base has in common."""

    login_user: str = LOGIN_USER
    packages: tuple[str, ...] = ()
    before_packages: str = ""
    """A shell script on the root `$1`: settings that packages read while they are installed."""
    after_settling: str = ""
    """A shell script on the root `$1`, the last to run."""
    masks_units: bool = False
    """Whether the base's `masked_units`, which cannot work in a container, are masked."""


CONTAINER = Form(masks_units=True)

PACKAGE_INDEX = "/sandbox-packages.gz"
"""A file in the root, until it is fetched: the names of all packages in the suite's archive."""

TAKE_INDEX = f"""\
set -eu
chroot "$1" sh -c 'apt-cache dumpavail | sed -n "s/^Package: //p" | sort -u' \
  | gzip -n > "$1{PACKAGE_INDEX}"
"""
"""Run by mmdebstrap while the root still has apt's lists; `$1` is the root."""

_UNIT = re.compile(r"[A-Za-z0-9@._:\\-]+\.(service|socket|timer|mount|target|path|automount)")

_SETTLE = """\
set -eu
root=$1
# In `unshare` mode the folder we were called in may be closed to us, and `find` would stop at that
cd /
put() { mkdir -p "$(dirname "$root$2")"; cat > "$root$2"; chmod "$1" "$root$2"; }

chroot "$root" useradd --system --create-home --shell /bin/bash --comment 'sandbox login' @USER@
chroot "$root" passwd --quiet --lock @USER@
chroot "$root" passwd --quiet --lock root
put 0440 /etc/sudoers.d/@USER@ <<'END'
@USER@ ALL=(ALL:ALL) NOPASSWD: ALL
END
put 0644 /etc/ssh/sshd_config.d/00-sandbox.conf <<'END'
# A sandbox is entered with its own key, as @USER@, and in no other way
PasswordAuthentication no
ChallengeResponseAuthentication no
PermitRootLogin no
UseDNS no
END
put 0644 /etc/systemd/system/sandbox-host-keys.service <<'END'
[Unit]
Description=Make this machine's own ssh host keys
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key.pub
Before=ssh.service ssh.socket

[Service]
Type=oneshot
# One kind is enough, and an RSA key alone would take longer than the rest of the boot
ExecStartPre=/bin/rm -f /etc/ssh/ssh_host_ed25519_key
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../sandbox-host-keys.service \
  "$root/etc/systemd/system/multi-user.target.wants/sandbox-host-keys.service"
put 0644 /etc/network/interfaces <<'END'
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet dhcp
END
put 0644 /etc/hosts <<'END'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
END
put 0644 /etc/dpkg/dpkg.cfg.d/sandbox <<'END'
# A machine that can be made again need not wait for the disk after every file
force-unsafe-io
END
put 0644 /etc/apt/apt.conf.d/90sandbox <<'END'
# Translated descriptions are half of what `apt-get update` fetches
Acquire::Languages "none";
END
for unit in @UNITS@; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap

# Nothing of the host that built it, nothing that two machines must not share
rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/lib/dbus/machine-id "$root"/etc/hostname \\
  "$root"/etc/resolv.conf "$root"/var/lib/systemd/random-seed \\
  "$root"/var/lib/systemd/credential.secret "$root"/var/lib/urandom/random-seed \\
  "$root"/etc/passwd- "$root"/etc/shadow- "$root"/etc/group- "$root"/etc/gshadow- \\
  "$root"/etc/subuid- "$root"/etc/subgid- "$root"/var/cache/debconf/*-old \\
  "$root"/var/lib/dpkg/*-old "$root"/root/.bash_history "$root"/root/.wget-hsts
: > "$root/etc/machine-id"
chmod 0444 "$root/etc/machine-id"
: > "$root/etc/resolv.conf"
find "$root/var/log" -type f -delete
rm -rf "$root"/var/cache/ldconfig/*
# Not $root/tmp: mmdebstrap keeps its apt configuration there, and without it the clean-up of apt's
# lists that follows would empty those of the host. It clears /tmp and /run and apt's folders itself
"""

# Written by Incus when a machine is made: its name is its hostname from the first boot on
TEMPLATES = {
    "hostname.tpl": "{{ container.name }}\n",
    "hosts.tpl": (
        "127.0.0.1 localhost\n"
        "127.0.1.1 {{ container.name }}\n"
        "::1 localhost ip6-localhost ip6-loopback\n"
    ),
}
TEMPLATE_TARGETS = {"/etc/hostname": "hostname.tpl", "/etc/hosts": "hosts.tpl"}


@dataclass(frozen=True)
class Sources:
    """Where the packages come from."""

    lines: tuple[str, ...] = ()
    """sources.list lines; empty: mmdebstrap's default, with security and updates."""
    note: str = ""
    """Why the sources are not those of the host or the box, when they are not."""

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses in the lines."""
        words = (word for line in self.lines for word in line.split())
        return tuple(dict.fromkeys(word for word in words if "://" in word))


@dataclass(frozen=True)
class Recipe:
    """All that decides what a base image is, and so its name."""

    base: Base
    machine: str
    """The architecture in Incus's words: x86_64."""
    kind: Literal["build", "public"]
    sources: Sources = Sources()
    form: Form = CONTAINER
    wrapping: str = ""
    """Text of all that goes around the root (boot loader, disk, box), where we decide it."""

    @property
    def key(self) -> str:
        """12 hex digits over everything that goes into the image, except the date."""
        boxes = {"images": {"libvirt_public", "virtualbox_public"}}  # a pin is not what we build
        content: dict[str, object] = {
            "base": self.base.model_dump(mode="json", exclude=boxes),
            "machine": self.machine,
            "kind": self.kind,
        }
        if self.kind == "build":
            argv = mmdebstrap_argv(self, rootfs="", index="", unshare=False)
            content |= {"argv": argv, "templates": TEMPLATES, "targets": TEMPLATE_TARGETS}
        if self.wrapping:
            content["wrapping"] = self.wrapping
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def alias(self) -> str:
        """The image's name in Incus."""
        return f"base-{self.base.name}-{self.key}"


def settle_script(base: Base, form: Form = CONTAINER) -> str:
    """Write the shell script that turns the root `$1` into an image of `base`.

    Raises:
        BoxError: the base's `masked_units` has something that is not the name of a unit.
    """
    masked = base.images.masked_units if form.masks_units else ()
    for unit in masked:
        if not _UNIT.fullmatch(unit):
            raise BoxError(
                f"{unit!r} in masked_units of the base {base.name} is not a systemd unit",
                hint="such as systemd-udev-trigger.service",
            )
    units = " ".join(shlex.quote(unit) for unit in masked)
    return _SETTLE.replace("@USER@", form.login_user).replace("@UNITS@", units)


def mmdebstrap_argv(
    recipe: Recipe, *, rootfs: str, index: str, unshare: bool, extra: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Write the command that makes the root as the tarball `rootfs`, and the names in `index`.

    `extra` are options that do not change the image: they are no part of its key.

    The hooks are passed as text, not as files: in `unshare` mode the user that runs them may not be
    able to read our folders.
    """
    form, base = recipe.form, recipe.base
    added = ADDED_PACKAGES.get(base.suite, ())
    before = (f"--essential-hook={form.before_packages}",) if form.before_packages else ()
    after = (f"--customize-hook={form.after_settling}",) if form.after_settling else ()
    return (
        "mmdebstrap",
        "--variant=minbase",
        f"--mode={'unshare' if unshare else 'root'}",
        "--format=tar",
        f"--architectures={DEBIAN_ARCHITECTURES.get(recipe.machine, recipe.machine)}",
        f"--include={','.join((*PACKAGES, *added, *form.packages))}",
        *extra,
        *before,
        '--aptopt=Acquire::Languages "none"',
        f"--customize-hook={TAKE_INDEX}",
        f"--customize-hook=download {PACKAGE_INDEX} {shlex.quote(index)}",
        f'--customize-hook=rm "$1{PACKAGE_INDEX}"',
        f"--customize-hook={settle_script(recipe.base, form)}",
        *after,
        recipe.base.suite,
        rootfs,
        *recipe.sources.lines,
    )
