"""Which operating system a host runs."""

import pytest

from sandbox.host.system import parse_os_release


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('ID=debian\nVERSION_ID="12"', True),
        ("ID=debian\nVERSION_CODENAME=sid", True),
        ('ID=debian\nVERSION_ID="11"', False),
        ('ID=ubuntu\nVERSION_ID="24.04"', True),
        ('ID=ubuntu\nVERSION_ID="22.04"', False),
        ("ID=fedora\nVERSION_ID=42", False),
        ("", False),
    ],
)
def test_where_packages_are_installed(text: str, *, known: bool) -> None:
    assert parse_os_release(text).is_known is known


def test_quotes_comments_and_missing_values() -> None:
    found = parse_os_release("# a comment\nID='debian'\nPRETTY_NAME=\"Debian GNU/Linux\"\nEMPTY=\n")
    assert (found.id, found.name, found.version) == ("debian", "Debian GNU/Linux", "")
