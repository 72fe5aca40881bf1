"""Which systems we install Incus on, and from where."""

import pytest

from sandbox.host.system import IncusSource, parse_os_release


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('ID=debian\nVERSION_ID="12"', IncusSource.BACKPORTS),
        ('ID=debian\nVERSION_ID="13"', IncusSource.ARCHIVE),
        ("ID=debian\nVERSION_CODENAME=sid", IncusSource.ARCHIVE),
        ('ID=debian\nVERSION_ID="11"', IncusSource.ELSEWHERE),
        ('ID=ubuntu\nVERSION_ID="24.04"', IncusSource.ARCHIVE),
        ('ID=ubuntu\nVERSION_ID="26.04"', IncusSource.ARCHIVE),
        ('ID=ubuntu\nVERSION_ID="22.04"', IncusSource.ELSEWHERE),
        ("ID=fedora\nVERSION_ID=42", IncusSource.ELSEWHERE),
        ("", IncusSource.ELSEWHERE),
    ],
)
def test_where_incus_comes_from(text: str, source: IncusSource) -> None:
    assert parse_os_release(text).incus_source is source


def test_quotes_comments_and_missing_values() -> None:
    found = parse_os_release("# a comment\nID='debian'\nPRETTY_NAME=\"Debian GNU/Linux\"\nEMPTY=\n")
    assert (found.id, found.name, found.version) == ("debian", "Debian GNU/Linux", "")


def test_other_systems_are_told_their_own_command() -> None:
    assert "dnf install incus" in parse_os_release("ID=fedora").advice
    assert "documentation" in parse_os_release("ID=plan9").advice
