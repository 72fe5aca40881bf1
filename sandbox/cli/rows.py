"""Rows for a terminal: columns as wide as needed, and long text folded next to its label."""

import textwrap
from collections.abc import Iterable, Sequence

from sandbox.cli.console import DIM, Painted, line, lines, paint

WIDTH = 100
"""The width for folded text: of a terminal, or of a page that somebody keeps."""
_GAP = "  "


def columns(
    rows: Iterable[Sequence[str]], *, heads: Sequence[str] = (), first_width: int = 0
) -> Painted:
    """Set rows below each other, each column as wide as its longest cell; the last is not padded.

    Args:
        rows: their cells, the same number in each.
        heads: the heading of each column.
        first_width: the least width of the first column.
    """
    table = [*([heads] if heads else []), *rows]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    if widths:
        widths[0] = max(widths[0], first_width)
    return lines(
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def cell(text: str, width: int, code: str, *, on: bool) -> Painted:
    """Paint `text` in a style, as wide as a column."""
    return paint(text.ljust(width), code, on=on)


def field(
    label: str,
    text: str,
    *,
    width: int,
    indent: str,
    gap: str = _GAP,
    fold: bool = True,
    on: bool,
) -> list[Painted]:
    """Set text next to its label, its lines below each other; nothing where there is no text.

    Args:
        label: stands before the first line; a label wider than its column has its own line.
        text: the text.
        width: the width of the labels' column.
        indent: the beginning of every line.
        gap: between label and text.
        fold: break long lines. A command must stay one, to be copied.
        on: whether in colour.
    """
    if len(label) > width:
        # No part of a path may be missing
        below = field("", text, width=width, indent=indent, gap=gap, fold=fold, on=on)
        return [line(indent, paint(label, DIM, on=on)), *below]
    room = WIDTH - len(indent) - width - len(gap)
    told = text.splitlines()
    if fold:
        told = [
            piece
            for one in told
            for piece in (textwrap.wrap(one, room, break_on_hyphens=False) or [""])
        ]
    heads = [cell(label, width, DIM, on=on), *[" " * width] * len(told)]
    return [line(indent, head, gap, one) for head, one in zip(heads, told, strict=False)]
