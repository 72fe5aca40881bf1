"""`make bench`, or `python -m bench ROW...`: the figures of docs/performance.md, as Markdown.

Without words: every row, which takes half an hour. SANDBOX_BENCH_RUNS says how often (5).
"""

import os
import sys
from collections.abc import Callable

import typer

from bench import clones, cycle, keeper, packages, provision, rstudio, workshop
from bench.measure import Table, heading, load

ROWS: dict[str, Callable[[int], Table]] = {
    "unchanged": cycle.unchanged,
    "warm": cycle.warm,
    "look": cycle.look,
    "snapshots": cycle.snapshots,
    "destroy": cycle.destroy,
    "list": clones.listing,
    "clones": clones.clones,
    "cold": provision.cold,
    "packages": packages.binaries,
    "packages-source": packages.sources,
    "warm-rstudio": rstudio.warm,
    "seats": workshop.seats,
    "keeper": keeper.idle,
}


def main(words: list[str]) -> None:
    """Measure the rows that are named, and print their tables.

    Raises:
        SystemExit: there is no such row.
    """
    unknown = [word for word in words if word not in ROWS]
    if unknown:
        raise SystemExit(f"no such row: {' '.join(unknown)}; there are: {' '.join(ROWS)}")
    runs = int(os.environ.get("SANDBOX_BENCH_RUNS") or "5")
    typer.echo(heading(words))
    for row in words or ROWS:
        typer.echo(f"{row}:", err=True)
        before = load()
        table = ROWS[row](runs)
        table.load = (before, load())
        typer.echo(f"\n{table.markdown()}")


if __name__ == "__main__":
    main(sys.argv[1:])
