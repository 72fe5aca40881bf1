"""The list of what was not taken, and the question on a terminal."""

import io

import pytest

from sandbox.capture.review import NotTaken
from sandbox.cli.fidelity import _review

LEFT = (
    NotTaken("SALES_DB", "the environment of R", "1-8", "nothing is known of that name"),
    NotTaken("expression 2", "/etc/R/Rprofile.site", "9-16", "a part of it is not known"),
)


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("\n", []),
        ("", []),
        ("SALES_DB\n", ["SALES_DB"]),
        ("SALES_DB, /etc/R/Rprofile.site\n", ["SALES_DB", "/etc/R/Rprofile.site"]),
        ("SALES\nSALES_DB\n", ["SALES_DB"]),
    ],
    ids=["none", "end of input", "a name", "a name and a file", "a wrong name first"],
)
def test_what_is_typed_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    taken: list[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert _review(LEFT) == taken
    shown = capsys.readouterr().err
    assert "2 values were not taken" in shown
    assert "SALES_DB  (the environment of R; 1-8 characters): nothing is known" in shown
    assert ("not among them: SALES\n" in shown) == typed.startswith("SALES\n")
