"""`sandbox kinds`: what is compared, and which bug a difference of each kind can cause."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import BOLD, Painted, colourful, lines, paint, show, show_json
from sandbox.cli.rows import columns, field

if TYPE_CHECKING:
    from sandbox.facts.kind import FactKind

_INDENT = " " * 6
_LABELS = ("can mean", "seen at")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("kinds")(kinds)


def kinds(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False
) -> None:
    """List the kinds of facts that `diff` and `check` compare, the most dangerous first.

    Each with the bug that a difference can cause, and a real one. `--only` and `--ignore` of
    `sandbox diff` take its id, or the word of its group.

    sandbox kinds

    sandbox kinds --json
    """
    from sandbox.facts.registry import kinds as all_kinds

    if as_json:
        show_json([_listing(kind) for kind in all_kinds()])
        return
    show(_render(all_kinds(), on=colourful(stdout=True)))


def _render(found: "Iterable[FactKind]", *, on: bool) -> Painted:
    """The kinds below the words of what they lead to; they stand in that order already."""
    rows: list[str] = []
    for consequence, group in groupby(found, key=lambda kind: kind.consequence):
        alike = list(group)
        heading = f"{consequence.words}  ({consequence}, {len(alike)} kinds)"
        rows += ["", paint(heading, BOLD, on=on)]
        names = columns([(f"  {kind.id}", kind.title) for kind in alike]).splitlines()
        for name, kind in zip(names, alike, strict=True):
            rows.append(name)
            for label, text in zip(_LABELS, (kind.why, kind.link), strict=True):
                rows += field(label, text, width=len(_LABELS[0]), indent=_INDENT, on=on)
    return lines(rows[1:])


def _listing(kind: "FactKind") -> dict[str, str]:
    return {
        "id": kind.id,
        "title": kind.title,
        "consequence": str(kind.consequence),
        "consequence_words": kind.consequence.words,
        "why": kind.why,
        "link": kind.link,
    }
