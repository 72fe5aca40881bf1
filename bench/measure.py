"""Times of a thing and of its peers, taken in turn, and the table that is made of them.

Taken in turn, because a machine is not equally fast from one minute to the next: what is compared
must have met the same minute. A ratio is the median of the ratios of the turns.
"""

import os
import platform
import statistics
import subprocess  # noqa: TID251  (only to name the commit)
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import typer

Action = Callable[[], object]


@dataclass
class Series:
    """The same thing, measured several times."""

    title: str
    values: list[float] = field(default_factory=list)
    unit: str = "s"

    @property
    def median(self) -> float:
        """What stands for all of them."""
        return statistics.median(self.values)

    def row(self) -> tuple[str, str, str, str]:
        """Title, median, spread, number of runs."""
        digits = 2 if self.median < 10 else 1  # noqa: PLR2004
        figures = [f"{value:.{digits}f}" for value in (self.median, min(self.values))]
        spread = f"{figures[1]} to {max(self.values):.{digits}f}"
        return self.title, f"{figures[0]} {self.unit}", spread, str(len(self.values))


@dataclass
class Table:
    """What one row of the benchmark came to."""

    title: str
    series: list[Series]
    notes: list[str] = field(default_factory=list)
    load: tuple[float, float] = (0.0, 0.0)
    """Of the host, over the last minute, before and after."""

    def markdown(self) -> str:
        """As it stands in docs/performance.md."""
        lines = [f"### {self.title}", ""]
        lines += ["| | median | from, to | runs |", "| --- | --- | --- | --- |"]
        lines += [f"| {' | '.join(series.row())} |" for series in self.series]
        lines += ["", *(f"{note}  " for note in self.notes)]
        lines += [f"Load of the host: {self.load[0]:.1f} before, {self.load[1]:.1f} after."]
        return "\n".join(lines)


def timed(action: Action) -> float:
    """The seconds that it takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def in_turn(
    actions: Mapping[str, Action], *, runs: int, before_each: Action | None = None
) -> list[Series]:
    """Do each action once a turn; a first turn that only warms caches is not counted."""
    series = [Series(title) for title in actions]
    for number in range(runs + 1):
        for one, action in zip(series, actions.values(), strict=True):
            if before_each is not None:
                before_each()
            seconds = timed(action)
            if number:
                one.values.append(seconds)
        if number:
            said = ", ".join(f"{one.title} {one.values[-1]:.2f}" for one in series)
            typer.echo(f"  turn {number} of {runs}: {said}", err=True)
    return series


def ratio(mine: Series, theirs: Series) -> str:
    """How many times as long it takes, turn by turn."""
    each = [one / other for one, other in zip(mine.values, theirs.values, strict=True)]
    low, high = min(each), max(each)
    return (
        f"{mine.title} / {theirs.title}: **{statistics.median(each):.2f}** "
        f"({low:.2f} to {high:.2f})"
    )


def load() -> float:
    """Processes that want to run, over the last minute."""
    return os.getloadavg()[0]


def heading(words: list[str]) -> str:
    """Where and how these figures were taken."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    commit = "unknown"
    with suppress(OSError, subprocess.SubprocessError):
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            encoding="utf-8",
        ).stdout.strip()
    command = " ".join(["python -m bench", *words])
    return (
        f"`{command}` on {datetime.now(UTC):%Y-%m-%d}, commit {commit}: "
        f"{os.cpu_count()} processors, {memory_gb:.0f} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}."
    )
