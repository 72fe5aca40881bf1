"""What a machine without anything says for its box's lock: its packages, and what apt would bring.

The answer is checked before use, like all that comes from a machine.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from sandbox.box_lock.model import FromBase, LockedDeb, LockedSystem
from sandbox.materials.debs import WantedDeb, wanted_debs

LOCKED_FOLDER: Final = "/var/lib/sandbox/locked"
"""The folder of locked packages on a machine; the role `locked_packages` installs from there."""

INSTALLED_QUESTION: Final = (
    r"dpkg-query -W -f '${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n'"
)
"""The shell command that lists a machine's packages."""

_INSTALLED: Final = re.compile(
    r".i[ R]\t(?P<name>[a-z0-9][a-z0-9.+-]*)\t(?P<version>[A-Za-z0-9.+~:-]+)"
    r"\t(?P<architecture>[a-z0-9-]+)"
)
_REMOVED: Final = re.compile(r"(?:Remv|Purg) ([a-z0-9][a-z0-9.+-]*(?::[a-z0-9-]+)?)[ \n]")
_CUT: Final = "--- what sandbox asks next ---"
_ASK: Final = (
    *("apt-get", "-qq", "--no-install-recommends"),
    *("-o", "Acquire::ForceHash=SHA256", "-o", "Dpkg::Use-Pty=0"),
)


class OddAnswerError(ValueError):
    """A machine's answer has a line that cannot be locked."""


@dataclass(frozen=True)
class LockAnswer:
    """What a bare machine has, and what its apt would bring."""

    installed: tuple[FromBase, ...]
    wanted: tuple[WantedDeb, ...]
    """What apt would download for the plan."""
    removed: frozenset[str]
    """Names of packages that apt would remove."""
    known: tuple[WantedDeb, ...]
    """What the archive still has of the packages that are there; and newer ones of them."""


def lock_question(packages: Iterable[str], debs: Iterable[str]) -> str:
    """Write the shell commands whose answer `read_lock_answer` reads; any failure ends them.

    Args:
        packages: names of packages of the distribution.
        debs: absolute paths of package files on the machine.
    """
    wanted = ("install", "--", *packages, *debs)
    uris = shlex.join((*_ASK, "--print-uris", *wanted))
    simulated = shlex.join((*_ASK, "-s", *wanted))
    again = shlex.join((*_ASK, "--print-uris", "--reinstall", "install", "--"))
    names = (
        r"dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' | sed -n 's/^installed //p'"
    )
    return "\n".join(
        (
            "set -eu; export LC_ALL=C",
            INSTALLED_QUESTION,
            f"echo '{_CUT}'",
            uris,
            f"echo '{_CUT}'",
            simulated,
            f"echo '{_CUT}'",
            # Of a package that the archive has no more, apt only says so
            f"{again} $({names}) 2>/dev/null || true",
        )
    )


def read_lock_answer(answer: str) -> LockAnswer:
    """Read a machine's answer.

    Raises:
        OddAnswerError: a part is missing, or apt would take a package from somewhere that cannot be
            locked: a medium, or an address with a login.
    """
    parts = answer.split(f"{_CUT}\n")
    if len(parts) != 4:  # noqa: PLR2004
        raise OddAnswerError("the answer is cut off")
    installed, wanted, simulated, known = parts
    debs = wanted_debs(wanted)
    lines = [one for one in wanted.splitlines() if one.startswith("'")]
    odd = [one for one in lines if not one.startswith("'file:") and not wanted_debs(one)]
    if odd:
        raise OddAnswerError(f"apt names a file without checksum or address: {odd[0]}")
    return LockAnswer(
        read_installed(installed),
        debs,
        frozenset(one.partition(":")[0] for one in _REMOVED.findall(simulated)),
        wanted_debs(known),
    )


def read_installed(text: str) -> tuple[FromBase, ...]:
    """Read a machine's list of packages, sorted; what is not installed is left out."""
    found = (_INSTALLED.fullmatch(line) for line in text.splitlines())
    packages = (FromBase(**one.groupdict()) for one in found if one is not None)
    return tuple(sorted(packages, key=lambda one: (one.name, one.architecture)))


def locked_system(answer: LockAnswer) -> LockedSystem:
    """Make the lock of a machine's packages of the distribution.

    Raises:
        OddAnswerError: a file's name does not say which package it is.
    """
    there = {(one.name, one.architecture): one.version for one in answer.installed}
    new = [_locked(one, in_base=False) for one in answer.wanted]
    same = [_locked(one, in_base=True) for one in answer.known]
    kept = {
        (one.name, one.architecture): one
        for one in same
        if there.get((one.name, one.architecture)) == one.version and one.name not in answer.removed
    }
    debs = [*new, *kept.values()]
    rest = (
        one
        for one in answer.installed
        if (one.name, one.architecture) not in kept and one.name not in answer.removed
    )
    return LockedSystem(
        debs=tuple(sorted(debs, key=lambda one: (one.name, one.architecture, one.in_base))),
        from_base=tuple(rest),
    )


def _locked(deb: WantedDeb, *, in_base: bool) -> LockedDeb:
    parts = deb.name.removesuffix(".deb").split("_")
    if len(parts) != 3:  # noqa: PLR2004
        raise OddAnswerError(f"{deb.name} does not say which package it is")
    name, version, architecture = parts
    return LockedDeb(
        name=name,
        version=unquote(version),
        architecture=architecture,
        file_name=deb.name,
        sha256=deb.sha256,
        size_bytes=deb.size_bytes,
        url=deb.url,
        in_base=in_base,
    )


def missing_debs(locked: LockedSystem, installed: str) -> tuple[WantedDeb, ...]:
    """List the locked packages that a machine lacks; `installed` is its list of packages."""
    there = _versions(read_installed(installed))
    return tuple(
        WantedDeb(one.url, one.file_name, one.size_bytes, one.sha256)
        for one in locked.new_debs
        if there.get(f"{one.name}:{one.architecture}") != one.version
    )


def unlike_before(locked: LockedSystem, installed: str) -> tuple[str, ...]:
    """Say what a machine has that is neither its base's nor the lock's, before anything is done."""
    there = _versions(read_installed(installed))
    first, last = locked.base_versions, locked.versions
    return tuple(
        f"{name.partition(':')[0]}: {there.get(name, 'not there')}, and the lock has {version}"
        for name, version in sorted(first.items())
        if there.get(name) not in {version, last[name]}
    )


def unlike_after(
    locked: LockedSystem, installed: str, *, others: Sequence[str] = ()
) -> tuple[str, ...]:
    """Say how a finished machine's packages differ from the lock.

    Args:
        locked: the lock.
        installed: the machine's list of packages.
        others: names of packages that are locked as files of another kind: builds of R, RStudio.
    """
    return tuple(_unlike(locked.versions, _versions(read_installed(installed)), frozenset(others)))


def _unlike(wanted: dict[str, str], there: dict[str, str], others: frozenset[str]) -> Iterator[str]:
    for name in sorted({*wanted, *there}):
        short, locked, found = name.partition(":")[0], wanted.get(name), there.get(name)
        if locked == found or (locked is None and short in others):
            continue
        has = found if found is not None else "not there"
        yield f"{short}: {has}, and the lock has {locked if locked is not None else 'none'}"


def _versions(packages: Iterable[FromBase]) -> dict[str, str]:
    return {f"{one.name}:{one.architecture}": one.version for one in packages}
