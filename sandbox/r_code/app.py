"""An app's folder: which of its files Shiny Server runs, and which packages they ask for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from sandbox.app_files import MAX_MB, app_files
from sandbox.plain_file import NotPlainError, read_plain
from sandbox.r_code.documents import Document, read_document
from sandbox.r_code.r_parser import ParsedCode, parse_all
from sandbox.r_code.uses import Need, Use, finds_packages_elsewhere, sourced_in, uses_in

_MAX_BYTES: Final = 2_000_000
_MAX_FILES: Final = 2_000
_NOT_OF_THE_APP: Final = frozenset({"renv", "packrat", "rsconnect", "tests", "node_modules"})
_CODE: Final = frozenset({".r"})
_DOCUMENTS: Final = frozenset({".rmd", ".qmd"})
_ENTRIES: Final = frozenset({"app.r", "server.r", "ui.r", "global.r"})

AppKind = Literal["shiny", "documents"]


@dataclass(frozen=True)
class FoundUse:
    """A package, the file of the app that asks for it, and how."""

    path: Path
    use: Use

    @property
    def package(self) -> str:
        """The package's name."""
        return self.use.package


@dataclass(frozen=True)
class Unreadable:
    """Code that R cannot read: the app ends as soon as it starts."""

    path: Path
    line: int
    why: str
    r_version: tuple[int, ...]
    """The version of the R that refused: an older R may not read what a newer one can."""


@dataclass(frozen=True)
class AppCode:
    """What the code of one app asks for."""

    kind: AppKind | None
    """The kind of app; None: there is no app."""
    uses: tuple[FoundUse, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    brings_its_own: bool = False
    """Whether it installs packages or has its own library: its packages may come from there."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages it asks for, each once, by name."""
        return tuple(sorted({one.package for one in self.uses}, key=str.lower))


def app_kind(folder: Path) -> AppKind | None:
    """Name what Shiny Server would make of a folder: an app, documents, or nothing."""
    try:
        names = {entry.name.lower() for entry in folder.iterdir()}
    except OSError:
        return None
    if "app.r" in names or {"ui.r", "server.r"} <= names or "server.r" in names:
        return "shiny"
    return "documents" if any(PurePosixPath(name).suffix in _DOCUMENTS for name in names) else None


def read_app(folder: Path, *, include: Sequence[str] = (), max_mb: int = MAX_MB) -> AppCode:
    """Read an app's code, with R's own parser where this host has it; none of it is run.

    Raises:
        TooMuchError: as in `app_files`.
        UnreadableError: as in `app_files`.
    """
    kind = app_kind(folder)
    if kind is None:
        return AppCode(None)
    taken = app_files(folder, include=include, max_mb=max_mb).taken
    files = [path for path in taken if _is_code(path.relative_to(folder))][:_MAX_FILES]
    sources = [source for path in files if (source := _source(path)) is not None]
    parsed = parse_all([source.code for source in sources])
    pieces = [_Piece(*pair) for pair in zip(sources, parsed, strict=True)]
    run = _run_by_the_server(folder, pieces, kind)
    own = (folder / "renv").is_dir() or (folder / ".Rprofile").is_file()
    return AppCode(
        kind,
        tuple(_sorted(_uses(pieces, run))),
        tuple(
            Unreadable(
                piece.path, piece.parsed.error_line, piece.parsed.error, piece.parsed.r_version
            )
            for piece in pieces
            if piece.parsed.error and piece.path in run
        ),
        own or any(finds_packages_elsewhere(piece.parsed.tokens) for piece in pieces),
    )


@dataclass(frozen=True)
class _Source:
    path: Path
    code: str
    document: Document | None


@dataclass(frozen=True)
class _Piece:
    source: _Source
    parsed: ParsedCode

    @property
    def path(self) -> Path:
        return self.source.path


def _is_code(below: Path) -> bool:
    if _NOT_OF_THE_APP & set(below.parts[:-1]):
        return False
    return below.suffix.lower() in _CODE | _DOCUMENTS


def _source(path: Path) -> _Source | None:
    try:
        # A link could lead anywhere: an app is served from its own files
        text = read_plain(path, max_bytes=_MAX_BYTES, follow=False).decode("utf-8-sig", "replace")
    except NotPlainError:
        return None
    if path.suffix.lower() in _DOCUMENTS:
        document = read_document(text)
        return _Source(path, document.code, document)
    return _Source(path, text.replace("\r\n", "\n"), None)


def _run_by_the_server(folder: Path, pieces: Sequence[_Piece], kind: AppKind) -> frozenset[Path]:
    """The files that run when the app is opened: its own, R/*.R, and files they read by name."""
    known = {piece.path: piece for piece in pieces}
    waiting = [piece.path for piece in pieces if _begins(piece, folder, kind)]
    seen = set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in sourced_in(known[path].parsed.tokens):
            for place in (folder / name, path.parent / name):
                if place in known:
                    waiting.append(place)
    return frozenset(seen)


def _begins(piece: _Piece, folder: Path, kind: AppKind) -> bool:
    below = piece.path.relative_to(folder)
    name = below.name.lower()
    if kind == "documents":
        return len(below.parts) == 1 and piece.source.document is not None
    if len(below.parts) == 1:
        return name in _ENTRIES
    # Shiny reads R/*.R by itself, but not the folders below
    return len(below.parts) == 2 and below.parts[0] == "R" and name.endswith(".r")  # noqa: PLR2004


def _uses(pieces: Sequence[_Piece], run: frozenset[Path]) -> Iterator[FoundUse]:
    for piece in pieces:
        for use in (*_of_the_header(piece), *uses_in(piece.parsed.tokens)):
            # A file that no code reads by name may never run: a script for later, a template
            need = use.need if piece.path in run else Need.MAY
            yield FoundUse(piece.path, replace(use, need=need))


def _of_the_header(piece: _Piece) -> Iterator[Use]:
    document = piece.source.document
    if document is not None:
        yield Use("rmarkdown", 1, "an R Markdown document", Need.AT_START)
        if document.is_shiny:
            yield Use("shiny", 1, "runtime: shiny", Need.AT_START)
        for package, words in document.formats:
            yield Use(package, 1, words, Need.AT_START)


def _sorted(uses: Iterator[FoundUse]) -> list[FoundUse]:
    return sorted(uses, key=lambda one: (str(one.path), one.use.line))
