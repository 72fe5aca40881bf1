"""R Markdown: a document's R code, at its own lines, and the packages that its header names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

_FENCE: Final = re.compile(r"^[\t >]*(`{3,}|~{3,})\s*\{\s*[rR]\b([^}]*)\}\s*$")
_END: Final = re.compile(r"^[\t >]*(`{3,}|~{3,})\s*$")
_INLINE: Final = re.compile(r"`r[ #]([^`]+)`")
_NOT_RUN: Final = re.compile(r"\beval\s*=\s*(FALSE|F)\b")
_HEADER_END: Final = re.compile(r"^(---|\.\.\.)\s*$")
_FORMAT: Final = re.compile(r"([A-Za-z][A-Za-z0-9.]*):::?([A-Za-z.][\w.]*)")
_HASH_OPTION: Final = re.compile(r"^\s*#\|\s*eval\s*:\s*(false|FALSE|no)\s*$")


@dataclass(frozen=True)
class Document:
    """The parts of a document that R would run."""

    code: str
    """The code, with as many lines as the document; lines without code are empty."""
    formats: tuple[tuple[str, str], ...]
    """Packages in the header, each with its words: flexdashboard::flex_dashboard."""
    is_shiny: bool
    """Whether the document is an app by itself: `runtime: shiny`."""


def read_document(text: str) -> Document:
    """Take an R Markdown or Quarto document apart; broken YAML and other text are passed over."""
    lines = text.splitlines()
    body, header = _header(lines)
    code = [""] * len(lines)
    for number, line in _code_lines(lines, body):
        code[number] = line
    runtime = str(header.get("runtime", ""))
    server = header.get("server")
    kind = server.get("type", "") if isinstance(server, dict) else server
    is_shiny = runtime.startswith("shiny") or str(kind) == "shiny"
    return Document("\n".join(code), tuple(dict.fromkeys(_formats(header))), is_shiny)


def _header(lines: list[str]) -> tuple[int, dict[object, object]]:
    """Where the body begins, and the YAML above it."""
    if not lines or lines[0].rstrip() != "---":
        return 0, {}
    end = next((at for at, line in enumerate(lines[1:], 1) if _HEADER_END.match(line)), None)
    if end is None or end > 500:  # noqa: PLR2004  (a header of that length is none)
        return 0, {}
    try:
        # `!r` and `!expr` are R's: take their text as text
        said = yaml.load("\n".join(lines[1:end]), Loader=_Header)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return end + 1, {}
    return end + 1, said if isinstance(said, dict) else {}


class _Header(yaml.SafeLoader):
    """Reads plain values only; a tag that is not YAML's own gives nothing."""


_Header.add_multi_constructor("!", lambda *_: None)


def _formats(said: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Package and words of every `pkg::format`, at the keys and values that name formats."""
    if depth == 0 and isinstance(said, dict):
        for key in ("output", "site", "knit"):
            yield from _formats(said.get(key), 1)
    elif isinstance(said, str):
        yield from ((found[1], found[0]) for found in _FORMAT.finditer(said))
    elif isinstance(said, dict) and depth < 3:  # noqa: PLR2004  (formats, and their options)
        for key, value in said.items():
            yield from _formats(key, depth + 1)
            yield from _formats(value, depth + 1)
    elif isinstance(said, list) and depth < 3:  # noqa: PLR2004
        for one in said:
            yield from _formats(one, depth + 1)


def _code_lines(lines: list[str], body: int) -> Iterator[tuple[int, str]]:
    fence, is_run, is_code = "", False, False
    for number, line in enumerate(lines[body:], body):
        if fence:
            end = _END.match(line)
            if end and end[1].startswith(fence):
                fence = ""
            elif is_code and _HASH_OPTION.match(line):
                is_run = False
            elif is_code and is_run:
                yield number, line
        elif opened := _FENCE.match(line):
            fence, is_code, is_run = opened[1], True, not _NOT_RUN.search(opened[2])
        elif other := re.match(r"^[\t >]*(`{3,}|~{3,})", line):
            fence, is_code = other[1], False
        else:
            inline = "; ".join(found[1] for found in _INLINE.finditer(line))
            if inline:
                yield number, inline
