"""The packages to install for Incus on a Debian-family host, and where they come from."""

from collections.abc import Callable
from pathlib import Path

from sandbox.errors import HostError
from sandbox.host.actions import Action
from sandbox.host.apt import AptFacts, plan_install
from sandbox.host.facts import KEYRINGS
from sandbox.host.journal import ChangeKind
from sandbox.providers.incus.host_facts import IncusHost
from sandbox.providers.incus.source import IncusSource, advice, incus_source

SOURCE_FILE = Path("/etc/apt/sources.list.d/sandbox-backports.sources")
WANTED = (
    "incus-base",
    "incus-client",
    "dnsmasq-base",
    "nftables",
    "btrfs-progs",
    "mmdebstrap",
    "debian-archive-keyring",
    "openssh-client",
    "zstd",
)
"""The package `incus` adds QEMU to incus-base, for virtual machines: not needed here."""


def missing_for_incus(host: IncusHost) -> tuple[str, ...]:
    """List the packages for commands that this host lacks; a command installed by hand counts."""
    there = {
        "incus-base": host.incusd is not None,
        "incus-client": "incus" in host.commands,
        "dnsmasq-base": "dnsmasq" in host.commands,
        "nftables": bool({"nft", "iptables"} & host.commands),
        "btrfs-progs": "btrfs" in host.commands or not host.kernel_btrfs,
        "mmdebstrap": "mmdebstrap" in host.commands,
        "debian-archive-keyring": host.debian_keyring,
        "openssh-client": "ssh-keygen" in host.commands,
        "zstd": "zstd" in host.commands,
    }
    return tuple(package for package in WANTED if not there[package])


def install_words(missing: tuple[str, ...], host: IncusHost) -> tuple[str, ...]:
    """Write the words for apt: on Debian 12, only Incus itself comes from backports."""
    if incus_source(host.distribution) is not IncusSource.BACKPORTS:
        return missing
    release = f"{host.distribution.codename}-backports"
    return tuple(
        f"{name}/{release}" if name in ("incus-base", "incus-client") else name for name in missing
    )


def source_text(archive_uri: str, codename: str, keyring: Path) -> str:
    """Write the backports source, on the same archive as this host's own release."""
    return (
        "# Made by `sandbox host setup`: Incus for this release comes from backports.\n"
        "Types: deb\n"
        f"URIs: {archive_uri}\n"
        f"Suites: {codename}-backports\n"
        "Components: main\n"
        f"Signed-By: {keyring}\n"
    )


def plan_packages(
    host: IncusHost, apt: Callable[[], AptFacts], half_installed: tuple[str, ...] = ()
) -> list[Action]:
    """Plan the packages to install, and before them the source and the repair of a broken dpkg.

    Args:
        host: this host.
        apt: asked only when something is missing.
        half_installed: packages that a run meant to install before it was cut off. Their commands
            may be there already, unpacked and not configured.

    Raises:
        HostError: we do not install packages on this distribution, or cannot tell from where.
    """
    lacking = missing_for_incus(host)
    missing = tuple(name for name in WANTED if name in lacking or name in half_installed)
    if not missing:
        return []
    source = incus_source(host.distribution)
    if source is IncusSource.ELSEWHERE or "apt-get" not in host.commands:
        if not {"incus-base", "incus-client"} & set(missing):
            # The other missing packages are not needed there; doctor names them
            return []
        raise HostError(
            f"sandbox does not install Incus on {host.distribution.name}",
            details=f"missing: {', '.join(missing)}",
            hint=advice(host.distribution),
        )
    facts = apt()
    words = install_words(missing, host)
    *repair, installation = plan_install(missing, words, facts)
    if source is IncusSource.BACKPORTS and words != missing and not facts.backports:
        return [*repair, _add_source(facts, host.distribution.codename), installation]
    return [*repair, installation]


def _add_source(facts: AptFacts, codename: str) -> Action:
    if not facts.archive_uri:
        raise HostError(
            f"cannot tell where this host gets {codename} from, so where its backports are",
            details="`apt-get indextargets` names no source for it",
            hint=f"add a source for {codename}-backports yourself, then run the command again",
        )
    keyring = next((path for path in KEYRINGS if path.exists()), KEYRINGS[0])
    text = source_text(facts.archive_uri, codename, keyring)
    path = str(SOURCE_FILE)
    return Action(ChangeKind.SOURCE, f"write {path}", names=(path,), content=text)
