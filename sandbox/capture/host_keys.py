"""Find the host keys that the user's known_hosts files name for a host: plain, hashed or a pattern.

paramiko reads such a file too, but fails at lines with a marker, and knows no patterns.
"""

import hmac
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

_LEAST_WORDS = 3


@dataclass(frozen=True)
class KnownKeys:
    """The keys that the files name for one host."""

    good: tuple[paramiko.PKey, ...] = ()
    revoked: frozenset[bytes] = frozenset()
    """Keys that must not be trusted, whoever shows them."""
    by_authority: bool = False
    """A certificate authority vouches for the host, which paramiko cannot check."""


def known_keys(files: Iterable[Path], name: str) -> KnownKeys:
    """Read the keys of `name`: `HOST` or `[HOST]:PORT`, as in ssh. Broken lines are passed over."""
    good: list[paramiko.PKey] = []
    revoked: set[bytes] = set()
    by_authority = False
    for marker, names, key in _entries(files):
        if marker == "@revoked":
            revoked.add(key.asbytes())
        elif _is_for(names, name):
            if marker == "@cert-authority":
                by_authority = True
            elif not marker:
                good.append(key)
    return KnownKeys(tuple(good), frozenset(revoked), by_authority)


def _entries(files: Iterable[Path]) -> Iterator[tuple[str, list[str], paramiko.PKey]]:
    for path in files:
        text = ""
        with suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            words = line.split()
            marker = words.pop(0) if words and words[0].startswith("@") else ""
            if len(words) < _LEAST_WORDS or words[0].startswith("#"):
                continue
            with suppress(InvalidHostKey, paramiko.SSHException, ValueError):
                entry = HostKeyEntry.from_line(" ".join(words))
                if entry is not None and entry.key is not None:
                    yield marker, words[0].split(","), entry.key


def _is_for(names: list[str], wanted: str) -> bool:
    """Match a name as sshd(8) says: a `!` before a matching name excludes the host."""
    found = False
    for name in names:
        if name.startswith("|1|"):
            with suppress(ValueError, IndexError, AssertionError):
                hashed = paramiko.HostKeys.hash_host(wanted, name)
                found = found or hmac.compare_digest(hashed, name)
        elif fnmatchcase(wanted.lower(), _pattern(name.removeprefix("!"))):
            if name.startswith("!"):
                return False
            found = True
    return found


def _pattern(name: str) -> str:
    # `[HOST]:PORT` is not a character class: only * and ? have a meaning in these files
    return name.lower().replace("[", "[[]")
