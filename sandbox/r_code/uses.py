"""The packages that a piece of R code asks for, and how surely it needs them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from sandbox.r_code.tokens import Token


class Need(IntEnum):
    """How surely code fails without a package."""

    MAY = 1
    """The code asks whether the package is there, or goes on without it."""
    USED = 2
    """The code fails when it comes to that place."""
    AT_START = 3
    """The code fails as soon as it is read."""


@dataclass(frozen=True)
class Use:
    """A package, and the place that asks for it."""

    package: str
    line: int
    how: str
    """The words of the code: library(DT), DT::datatable."""
    need: Need


_ATTACH: Final = frozenset({"library", "require"})
_LOAD: Final = frozenset({"loadNamespace", "attachNamespace", "getNamespace", "asNamespace"})
_ASK: Final = frozenset({"requireNamespace", "is_installed", "check_installed"})
_SEVERAL: Final = frozenset({"p_load", "pkg_attach", "pkg_attach2", "pkg_load", "pkg_load2"})
_APPLY: Final = frozenset({"lapply", "sapply", "vapply", "Map", "walk", "map", "purrr"})
_TELLING: Final = _ATTACH | _LOAD | _ASK | _SEVERAL | _APPLY | {"use", "from", "here"}
_TRIES: Final = frozenset({"try", "tryCatch", "withCallingHandlers", "try_fetch", "possibly"})
_REACTIVE: Final = frozenset({"reactive", "observe", "observeEvent", "eventReactive"})
_ASKS: Final = frozenset({"if", "while"})
_LONGEST_CALL: Final = 1000
"""In words; deeply nested code must not take forever."""
_OPENING: Final = {"(": ")", "[": "]", "[[": "]", "{": "}"}


@dataclass(frozen=True)
class _Around:
    """The code around a place."""

    in_function: bool = False
    in_doubt: bool = False
    """A condition, a branch, or a call that catches errors."""


def uses_in(tokens: Sequence[Token]) -> list[Use]:
    """List every package that the code names, in the order of its lines."""
    found = list(_UseReader(tuple(tokens)).uses())
    asked = {use.package for use in found if use.need is Need.MAY}
    # Code that asks for the package in one place can do without it
    return [replace(use, need=Need.MAY) if use.package in asked else use for use in found]


def sourced_in(tokens: Sequence[Token]) -> list[str]:
    """List files that the code reads by name: source("x.R"), sys.source; not child documents."""
    found = []
    for at, token in enumerate(tokens):
        if token.kind == "word" and token.text in {"source", "sys.source"}:
            arguments = _arguments(tokens, at + 1)
            first = _named(arguments, "file", "") if arguments is not None else None
            if first is not None and len(first) == 1 and first[0].kind == "string":
                found.append(first[0].text)
    return found


def finds_packages_elsewhere(tokens: Sequence[Token]) -> bool:
    """Tell whether the code installs packages, or brings a library of its own."""
    words = {".libPaths", "install.packages", "install_github", "install_version", "pak"}
    words |= {"renv", "packrat", "checkpoint", "groundhog.library", "remotes", "BiocManager"}
    return any(token.kind == "word" and token.text in words for token in tokens)


class _UseReader:
    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._around = _surroundings(tokens)

    def uses(self) -> Iterator[Use]:
        for at, token in enumerate(self._tokens):
            if token.text in {"::", ":::"} and token.kind == "mark":
                yield from self._namespaced(at)
            elif token.kind in {"word", "string"} and self._mark(at + 1) == "(":
                yield from self._called(at)

    def _mark(self, at: int) -> str:
        if not 0 <= at < len(self._tokens):
            return ""
        return self._tokens[at].text if self._tokens[at].kind == "mark" else ""

    def _namespaced(self, at: int) -> Iterator[Use]:
        if 0 < at < len(self._tokens) - 1:
            before, after = self._tokens[at - 1], self._tokens[at + 1]
            if before.kind != "mark":
                how = f"{before.text}{self._tokens[at].text}{after.text}"
                # Inside box::use and pacman::p_load, the names are packages
                yield Use(before.text, before.line, how, self._need(at, at_start=True))

    def _called(self, at: int) -> Iterator[Use]:
        name = self._tokens[at].text
        arguments = _arguments(self._tokens, at + 1) if name in _TELLING else None
        if arguments is None or self._mark(at - 1) in {"$", "@", "function"}:
            return
        if name in _ATTACH:
            package = _attached(arguments)
            yield from self._use(at, package, f"{name}({package})", at_start=True)
        elif name in _LOAD or name in _ASK:
            first = _named(arguments, "package", "") or _named(arguments, "ns", "name", "pkg")
            package = _text_of(first)
            how = f'{name}("{package}")'
            yield from self._use(at, package, how, asks=name in _ASK, at_start=True)
        elif name in _SEVERAL:
            for part in arguments:
                if len(part.tokens) == 1 and part.name == "":
                    package = part.tokens[0].text
                    yield from self._use(at, package, f"{name}({package})", at_start=True)
        elif name == "use" and self._mark(at - 1) == "::" and self._tokens[at - 2].text == "box":
            yield from self._boxed(at, arguments)
        elif name == "use" or (name in {"from", "here"} and self._mark(at - 1) == "::"):
            first = _named(arguments, "package", ".from", "")
            package = first[0].text if first and len(first) == 1 else None
            if name == "use" or self._tokens[at - 2].text == "import":
                yield from self._use(at, package, f"{name}({package})", at_start=True)
        elif name in _APPLY:
            yield from self._applied(at, arguments)

    def _boxed(self, at: int, arguments: "Sequence[_Argument]") -> Iterator[Use]:
        """Read box::use(dplyr, shiny[...], p = plotly, ./mod): a module's path has a slash."""
        for part in arguments:
            if part.tokens and part.tokens[0].kind == "word":
                beside = part.tokens[1].text if len(part.tokens) > 1 else "["
                if beside == "[":
                    package = part.tokens[0].text
                    yield from self._use(at, package, f"box::use({package})", at_start=True)

    def _applied(self, at: int, arguments: "Sequence[_Argument]") -> Iterator[Use]:
        """Read lapply(c("a", "b"), library, character.only = TRUE)."""
        if len(arguments) < 2 or len(arguments[1].tokens) != 1:  # noqa: PLR2004
            return
        how = arguments[1].tokens[0].text
        if how not in _ATTACH | _LOAD | _ASK:
            return
        values = arguments[0].tokens
        if len(values) > 2 and values[0].text == "c" and values[1].text == "(":  # noqa: PLR2004
            for value in values:
                if value.kind == "string":
                    words = f'{how}("{value.text}")'
                    yield from self._use(at, value.text, words, asks=how in _ASK, at_start=True)

    def _use(
        self, at: int, package: str | None, how: str, *, at_start: bool, asks: bool = False
    ) -> Iterator[Use]:
        if package is not None and _is_name(package):
            follows = self._mark(self._end(at) + 1)
            doubt = asks or follows in {"||", "|"} or self._mark(at - 1) == "!"
            need = Need.MAY if doubt else self._need(at, at_start=at_start)
            yield Use(package, self._tokens[at].line, how, need)

    def _need(self, at: int, *, at_start: bool) -> Need:
        around = self._around[at]
        if around.in_doubt:
            return Need.MAY
        return Need.AT_START if at_start and not around.in_function else Need.USED

    def _end(self, at: int) -> int:
        """The place where the call that begins at `at` is closed."""
        depth = 0
        for place in range(at + 1, min(at + _LONGEST_CALL, len(self._tokens))):
            text = self._mark(place)
            depth += (text in _OPENING) * (2 if text == "[[" else 1) - (text in {")", "]", "}"})
            if depth <= 0:
                return place
        return len(self._tokens)


def _is_name(text: str) -> bool:
    return (
        text[:1].isalpha() and text.isascii() and text.replace(".", "").isalnum() and len(text) > 1
    )


@dataclass(frozen=True)
class _Argument:
    name: str
    tokens: tuple[Token, ...]


def _arguments(tokens: Sequence[Token], at: int) -> list[_Argument] | None:
    """The words between the bracket at `at` and its end; None when there is no bracket."""
    if at >= len(tokens) or tokens[at].kind != "mark" or tokens[at].text != "(":
        return None
    depth, parts = 0, list[list[Token]]([[]])
    for token in tokens[at : at + _LONGEST_CALL]:
        mark = token.text if token.kind == "mark" else ""
        depth -= mark in {")", "]", "}"}
        if depth == 0 and mark == ")":
            break
        if depth == 1 and mark == ",":
            parts.append([])
        elif depth > 0:
            parts[-1].append(token)
        depth += (mark in _OPENING) * (2 if mark == "[[" else 1)
    return [_argument(part) for part in parts if part]


def _argument(part: Sequence[Token]) -> _Argument:
    if len(part) > 1 and part[0].kind != "mark" and part[1].kind == "mark" and part[1].text == "=":
        return _Argument(part[0].text, tuple(part[2:]))
    return _Argument("", tuple(part))


def _named(arguments: Sequence[_Argument], *names: str) -> tuple[Token, ...] | None:
    """The argument of one of these names; "" is the first that has none."""
    for name in names:
        for argument in arguments:
            if argument.name == name:
                return argument.tokens
    return None


def _text_of(tokens: tuple[Token, ...] | None) -> str | None:
    return tokens[0].text if tokens and len(tokens) == 1 and tokens[0].kind == "string" else None


def _attached(arguments: Sequence[_Argument]) -> str | None:
    """The package that library() or require() names; None when only the running code knows."""
    if _named(arguments, "lib.loc", "help") is not None:
        return None
    first = _named(arguments, "package", "")
    if first is None or len(first) != 1 or first[0].kind == "mark":
        return None
    by_value = _named(arguments, "character.only")
    if by_value is not None and [token.text for token in by_value] not in (["FALSE"], ["F"]):
        return _text_of(first)
    return first[0].text


def _surroundings(tokens: Sequence[Token]) -> list[_Around]:
    """For each word of the code, the code around it."""
    found: list[_Around] = []
    stack: list[tuple[str, _Around, _Around]] = []
    """What opened a bracket, what was around it, and what its end means for the next word."""
    here, coming = _Around(), _Around()
    plain = _Around()
    before = Token(0, "mark", "")
    for token in tokens:
        body = coming != plain
        around = _both(here, coming)
        found.append(around)
        mark = token.text if token.kind == "mark" else ""
        if mark in _OPENING:
            for _ in range(2 if mark == "[[" else 1):
                inside, after = _opened(mark, before, around)
                stack.append((mark, here, after))
                here = inside
            coming = plain
        elif mark in {")", "]", "}"} and stack:
            _, here, after = stack.pop()
            coming = after
        elif token.kind == "word" and token.text in {"else", "repeat"}:
            coming = _Around(in_doubt=True)
        elif body and (mark in {";"} or _next_statement(before, token)):
            coming = plain
            found[-1] = here
        before = token
    return found


def _next_statement(before: Token, token: Token) -> bool:
    """Whether a new line begins a new statement: after a word, two words cannot stand together."""
    is_end = before.kind != "mark" or before.text[:1].isalnum() or before.text in {")", "]", "}"}
    return token.line > before.line and is_end and token.kind != "mark"


def _both(one: _Around, other: _Around) -> _Around:
    return _Around(one.in_function or other.in_function, one.in_doubt or other.in_doubt)


def _opened(mark: str, before: Token, around: _Around) -> tuple[_Around, _Around]:
    """What is inside a bracket, and what its end means for the next word."""
    plain = _Around()
    if mark != "(" or (before.kind != "word" and before.text != "\\"):
        return around, plain
    word = before.text
    if word in {"function", "\\"}:
        return around, _Around(in_function=True)
    if word in _ASKS:
        return replace(around, in_doubt=True), _Around(in_doubt=True)
    is_later = word in _REACTIVE or word.startswith("render")
    inside = _Around(in_function=is_later, in_doubt=word in _TRIES)
    return _both(around, inside), plain
