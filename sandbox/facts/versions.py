"""Say which of two versions is older, by the rules of the program that wrote them down.

dpkg's rules are python-debian's. rpm's are those of its manual, rpm-version(7). R's are those of
`utils::compareVersion`. A version without rules of its own has its numbers compared by size.
"""

import re
from itertools import zip_longest
from typing import Literal, TypeVar

Ranked = TypeVar("Ranked", int, str, list[int], tuple[int, int, str])
Scheme = Literal["dpkg", "rpm", "r", "plain"]
"""Whose rules a version follows."""

_R_VERSION = re.compile(r"[0-9]+([.-][0-9]+)*")
_RPM_WORD = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
_PLAIN_WORD = re.compile(r"\d+|[A-Za-z]+|~")
_BEFORE = frozenset({"~", "a", "alpha", "b", "beta", "dev", "pre", "preview", "rc", "snapshot"})
"""Words for what comes before a version: 1.0-rc1 is older than 1.0."""


def compare_versions(a: str, b: str, scheme: Scheme) -> int | None:
    """Compare two versions.

    Args:
        a: a version.
        b: another, written down by the same rules.
        scheme: whose rules. What does not keep to them is read as `plain`.

    Returns:
        Less than 0 where `a` is older than `b`, 0 where they are the same version, more than 0
        where `a` is newer; None where they differ and nobody can say which one is older.
    """
    if a == b:
        return 0
    match scheme:
        case "dpkg":
            return _of_dpkg(a, b)
        case "rpm":
            return _of_rpm(a, b)
        case "r" if _R_VERSION.fullmatch(a) and _R_VERSION.fullmatch(b):
            return _sign(_numbers(a), _numbers(b))
        case _:
            return _plain(a, b)


def _of_dpkg(a: str, b: str) -> int | None:
    # Only whoever compares versions of packages pays for the import
    from debian.debian_support import NativeVersion

    try:
        first, second = NativeVersion(a), NativeVersion(b)
    except ValueError:
        return _plain(a, b)
    return int(first > second) - int(first < second)


def _of_rpm(a: str, b: str) -> int:
    for one, other in zip(_rpm_parts(a), _rpm_parts(b), strict=True):
        if found := _rpm_compare(one, other):
            return found
    return 0


def _rpm_parts(version: str) -> tuple[str, str, str]:
    """Epoch, version and release. Without an epoch, it is 0."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, release = rest.partition("-")
    return epoch, upstream, release


def _rpm_compare(a: str, b: str) -> int:
    """Compare one part, as rpmvercmp does: word by word, whatever stands between the words."""
    for one, other in zip_longest(_RPM_WORD.findall(a), _RPM_WORD.findall(b)):
        if one != other and (found := _rpm_compare_words(one, other)):
            return found
    return 0


def _rpm_compare_words(a: str | None, b: str | None) -> int:
    if "~" in (a, b):
        return -1 if a == "~" else 1
    if "^" in (a, b):
        # Newer than the end, and older than all else
        a_is_newer = b is None if a == "^" else a is not None
        return 1 if a_is_newer else -1
    if a is None or b is None:
        return -1 if a is None else 1
    if a.isdecimal() and b.isdecimal():
        return _sign(int(a), int(b))
    if a.isdecimal() or b.isdecimal():
        return 1 if a.isdecimal() else -1
    return _sign(a, b)


def _numbers(version: str) -> list[int]:
    return [int(word) for word in re.split(r"[.-]", version)]


def _plain(a: str, b: str) -> int | None:
    """Compare numbers by size, a missing one as 0; words count more, except those in `_BEFORE`."""
    for one, other in zip_longest(_PLAIN_WORD.findall(a), _PLAIN_WORD.findall(b)):
        if found := _sign(_plain_rank(one), _plain_rank(other)):
            return found
    # What stands between the words does not count, unless there are no words at all
    return 0 if _PLAIN_WORD.search(a) and _PLAIN_WORD.search(b) else None


def _plain_rank(word: str | None) -> tuple[int, int, str]:
    if word is None:
        return (1, 0, "")
    if word.isdecimal():
        return (1, int(word), "")
    lower = word.lower()
    return (0 if lower in _BEFORE else 2, 0, lower)


def _sign(a: Ranked, b: Ranked) -> int:
    return int(a > b) - int(a < b)
