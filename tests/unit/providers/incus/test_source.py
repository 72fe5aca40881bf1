"""Which systems we install Incus on, and from where."""

import pytest

from sandbox.host.system import parse_os_release
from sandbox.providers.incus.source import IncusSource, advice, incus_source


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
    assert incus_source(parse_os_release(text)) is source


def test_other_systems_are_told_their_own_command() -> None:
    assert "dnf install incus" in advice(parse_os_release("ID=fedora"))
    assert "documentation" in advice(parse_os_release("ID=plan9"))
