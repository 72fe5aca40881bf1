"""Versions are compared by the rules of the program that wrote them down."""

import pytest

from sandbox.facts.versions import Scheme, compare_versions

OLDER, SAME, NEWER = -1, 0, 1


@pytest.mark.parametrize(
    ("a", "b", "scheme", "found"),
    [
        # An epoch counts first, and `~` comes before the end
        ("1:2.3-1", "1.2.3-1", "dpkg", NEWER),
        ("1.0~rc1", "1.0", "dpkg", OLDER),
        ("1.0~rc1-1", "1.0~rc1-1+b1", "dpkg", OLDER),
        ("0:1.0-1", "1.0-1", "dpkg", SAME),
        ("2.36-9+deb12u9", "2.36-9+deb12u13", "dpkg", OLDER),
        ("1.0", "1.0.0", "dpkg", OLDER),
        ("1.01-1", "1.1-1", "dpkg", SAME),
        ("3.0.11-1~deb12u2", "3.0.11-1", "dpkg", OLDER),
        # Of rpm's own tests
        ("1.0", "1.0", "rpm", SAME),
        ("1.0", "2.0", "rpm", OLDER),
        ("2.0.1", "2.0", "rpm", NEWER),
        ("2.0.1a", "2.0.1", "rpm", NEWER),
        ("5.5p1", "5.5p10", "rpm", OLDER),
        ("10xyz", "10.1xyz", "rpm", OLDER),
        ("xyz10", "xyz10.1", "rpm", OLDER),
        ("xyz.4", "8", "rpm", OLDER),
        ("10.0001", "10.1", "rpm", SAME),
        ("20101121", "20101122", "rpm", OLDER),
        ("2_0", "2.0", "rpm", SAME),
        ("1.0~rc1", "1.0", "rpm", OLDER),
        ("1.0~rc1", "1.0~rc2", "rpm", OLDER),
        ("1.0^", "1.0", "rpm", NEWER),
        ("1.0^git1", "1.0.1", "rpm", OLDER),
        ("1.0^git1~pre", "1.0^git1", "rpm", OLDER),
        ("1:1.0-1.el9", "2.0-1.el9", "rpm", NEWER),
        ("3.0.7-24.el9", "3.0.7-27.el9", "rpm", OLDER),
        # R: a dash is a point, and a missing part is less than 0
        ("1.7-4", "1.7.4", "r", SAME),
        ("1.10", "1.9", "r", NEWER),
        ("1.0", "1.0.0", "r", OLDER),
        ("4.2.2", "4.2.10", "r", OLDER),
        # Nobody's
        ("1.10", "1.10.0", "plain", SAME),
        ("1.0-rc1", "1.0", "plain", OLDER),
        ("1.0~beta2", "1.0.0", "plain", OLDER),
        ("1.0.1k", "1.0.1", "plain", NEWER),
        ("2.17.1.1", "2.9", "plain", NEWER),
        ("3.0.11", "3.0.11+dfsg", "plain", OLDER),
        ("unknown", "1.0", "plain", NEWER),
        # What dpkg would not take
        ("not a version", "1.0", "dpkg", NEWER),
        ("1.0", "1.0-", "r", SAME),
    ],
)
def test_which_is_older(a: str, b: str, scheme: Scheme, found: int) -> None:
    assert compare_versions(a, b, scheme) == found
    assert compare_versions(b, a, scheme) == -found


def test_of_what_has_neither_numbers_nor_words_nobody_can_say() -> None:
    assert compare_versions("?", "!", "plain") is None
