"""R's own last error in an app's log, without the lines that nobody needs."""

import re
from dataclasses import dataclass

from sandbox.app_logs.r_words import RWords

_MOST_LINES = 10
_MOST_LETTERS = 300
_MOST_BEFORE = 12
# su prints this on every start; a blank line says nothing
_NOISE = re.compile(r"su: ignoring --preserve-environment.*|\s*")
_LISTENING = re.compile(r"Listening on http")
_TRACE = re.compile(r"\s+[0-9]+: (?P<what>.*)")
_SHINY_ERROR = re.compile(r"\S+\s?: Error in ")
_PLACE = re.compile(r"\[(?P<file>[^\[\]]+)#(?P<line>[0-9]+)\]")


@dataclass(frozen=True)
class LastError:
    """The error of an app, in R's own words."""

    title: str
    """The error in one line; empty when R said nothing."""
    lines: tuple[str, ...]
    """The error, after the warnings that led to it, if there are any."""
    serves: bool
    """Whether the app had started before: then the error is one of a session or of an output."""
    known: bool
    """Whether this is a known error; if not, these are the last lines before the end."""


def last_error(text: str, words: RWords) -> LastError | None:
    """Find the last error in the log of one start; None when there is none, and the app runs.

    When the log has no known error, and the app never started to serve, the last lines are taken.
    """
    lines = [line.rstrip() for line in text.splitlines() if not _NOISE.fullmatch(line)]
    serves = any(_LISTENING.match(line) for line in lines)
    errors = [at for at, line in enumerate(lines) if words.begins_error(line)]
    if not errors:
        if serves:
            return None
        shown = _shown(lines[-_MOST_LINES:], words)
        return LastError(shown[-1] if shown else "", shown, serves=False, known=False)
    start = _cause(lines, errors, words, serves=serves)
    first = next(at for at in errors if at >= start)
    return LastError(_title(lines[first:]), _shown(lines[start:], words), serves=serves, known=True)


def _cause(lines: list[str], errors: list[int], words: RWords, *, serves: bool) -> int:
    """The line where the errors and warnings right before the last error begin."""
    last = errors[-1]
    if serves:
        # Each error of Shiny's stands alone; R's own last error repeats the one before
        ends = not _SHINY_ERROR.match(lines[last]) and len(errors) > 1
        return errors[-2] if ends else last
    near = range(max(0, last - _MOST_BEFORE), last)
    begins = (at for at in near if words.begins_error(lines[at]) or words.begins_warning(lines[at]))
    return next(begins, last)


def _title(lines: list[str]) -> str:
    """The first line of an error, with the next line where the error's text is there."""
    whole = lines[:2] if lines[0].rstrip().endswith((":", "\N{FULLWIDTH COLON}")) else lines[:1]
    return " ".join(" ".join(whole).split())[:_MOST_LETTERS]


def _shown(lines: list[str], words: RWords) -> tuple[str, ...]:
    found: list[str] = []
    place = ""
    for line in lines:
        if words.is_end(line) or words.is_calls(line):
            continue
        if trace := _TRACE.fullmatch(line):
            # Of the calls, keep only those in the app's own files
            at = _PLACE.search(trace["what"])
            place = place or (f"at {at['file']}, line {at['line']}" if at else "")
            continue
        found.append(line[:_MOST_LETTERS])
    shown = found[:_MOST_LINES]
    return (*shown, place) if place else tuple(shown)
