"""YAML with positions: a file becomes a tree in which every value knows its file and line.

Only plain values: no tags, no merge keys, no second document, and limits on size, depth and
aliases, so that no file can run anything or eat the memory. Scalars follow YAML 1.2: `no` and
`2024-01-01` are text, as the editors' YAML support has them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import yaml

from sandbox.plain_file import NotPlainError, TooLargeError, read_plain
from sandbox.spec.file_kind import BOX_FILE, FileKind
from sandbox.spec.problem import Problem, code, printable

MAX_BYTES: Final = 128 * 1024
MAX_DEPTH: Final = 30
MAX_VALUES: Final = 20_000
"""Aliases count as often as they are used: a file that multiplies itself is stopped here."""

_LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(?:-----END|\Z)", re.DOTALL)
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_FINITE = frozenset({".inf", "-.inf", "+.inf", ".nan"})
_TAG = "tag:yaml.org,2002:"
_MAX_DIGITS = 30
Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class SourceFile:
    """A file's text, and which lines may be shown."""

    path: Path
    text: str
    lines: tuple[str, ...] = ()
    secret_lines: frozenset[int] = frozenset()

    @classmethod
    def from_text(cls, path: Path, text: str) -> "SourceFile":
        """Split the text into lines and find those that hold a private key."""
        secret = set[int]()
        for found in _PRIVATE_KEY.finditer(text):
            first = len(_LINE_BREAK.findall(text, 0, found.start())) + 1
            secret |= set(range(first, first + len(_LINE_BREAK.findall(found.group())) + 1))
        return cls(path, text, tuple(_LINE_BREAK.split(text)), frozenset(secret))

    def shown(self, line: int) -> str:
        """Return the line, fit to print: no control characters, no private key, not too long."""
        if not 1 <= line <= len(self.lines):
            return ""
        if line in self.secret_lines:
            return "(a private key, not shown)"
        return printable(self.lines[line - 1].rstrip())

    def problem(self, line: int, key: str, message: str, suggestion: str = "") -> Problem:
        """Make a problem in this file."""
        return Problem(self.path, line, key, message, suggestion, self.shown(line))


@dataclass(frozen=True)
class Value:
    """A scalar, a list or a map, and its place."""

    source: SourceFile
    line: int
    """The line of the key before the value, where there is one."""
    key: str
    """Dotted, from the top of the file."""
    content: "Scalar | list[Value] | dict[str, Value]"
    raw: str = ""
    """A scalar as it is written, without quotes."""
    quoted: bool = False

    def problem(self, message: str, suggestion: str = "", *, key: str | None = None) -> Problem:
        """Make a problem with this value."""
        at = self.key if key is None else key
        return self.source.problem(self.line, at, message, suggestion)

    def get(self, *loc: str | int) -> "Value | None":
        """Return the value at `loc` below this one, or None."""
        found: Value | None = self
        for step in loc:
            content = found.content if found else None
            if isinstance(content, dict) and isinstance(step, str):
                found = content.get(step)
            elif isinstance(content, list) and isinstance(step, int) and step < len(content):
                found = content[step]
            else:
                return None
        return found

    def nearest(self, loc: Sequence[str | int]) -> "Value":
        """Find the deepest value on the way to `loc`; steps that are not there are skipped."""
        found = self
        for step in loc:
            found = found.get(step) or found
        return found

    def as_path(self) -> Path:
        """Return the path in a text: relative to the file with the text. Not normalised."""
        return self.source.path.parent / str(self.content)

    def plain(self) -> object:
        """Return the bare data, ready for JSON."""
        if isinstance(self.content, dict):
            return {key: value.plain() for key, value in self.content.items()}
        if isinstance(self.content, list):
            return [value.plain() for value in self.content]
        return self.content


@dataclass
class ParsedFile:
    """The result of reading a file: its top map, and the problems on the way."""

    top: Value | None = None
    problems: list[Problem] = field(default_factory=list)
    is_meant: bool = False
    """Whether it is clearly meant as a file of its kind: only then may its text be shown."""


def read_source(path: Path, kind: FileKind = BOX_FILE, *, empty: str | None = None) -> ParsedFile:
    """Read and parse one file. The file's content never raises an error; `problems` has it all.

    Where nothing is in it, `empty` is the problem (its kind's own when None); "" for no problem.
    """
    whole = SourceFile(path, "")
    try:
        data = read_plain(path, max_bytes=MAX_BYTES)
    except NotPlainError as error:
        more = ", which no box file needs to be" if isinstance(error, TooLargeError) else ""
        return ParsedFile(problems=[replace(whole.problem(0, "", f"{error}{more}"), reveals=False)])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        found = [whole.problem(line, "", message, "Save the file as UTF-8")]
        return ParsedFile(problems=found, is_meant=_reads_like(data.decode(errors="replace"), kind))
    return parse_source(path, text, kind, empty=empty)


def parse_source(
    path: Path, text: str, kind: FileKind = BOX_FILE, *, empty: str | None = None
) -> ParsedFile:
    """Parse the text of one file; `path` is only for the messages."""
    source = SourceFile.from_text(path, text)
    parsed = ParsedFile(is_meant=_reads_like(text, kind))
    try:
        node = _compose(source, parsed.problems, kind)
    except yaml.reader.ReaderError as error:
        line = len(_LINE_BREAK.findall(text, 0, error.position)) + 1
        message = f"a character that YAML does not allow: U+{int(error.character):04X}"
        parsed.problems.append(source.problem(line, "", message))
    except yaml.MarkedYAMLError as error:
        parsed.problems.append(_syntax_problem(source, error))
    except (ValueError, OverflowError):  # PyYAML on "\UFFFFFFFF", which is no character
        parsed.problems.append(source.problem(0, "", "an escape that stands for no character"))
    else:
        _build_top(source, node, parsed, kind, kind.empty if empty is None else empty)
    return parsed


def _build_top(
    source: SourceFile, node: yaml.Node | None, parsed: ParsedFile, kind: FileKind, empty: str
) -> None:
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value in _NULLS):
        if empty:
            parsed.problems.append(replace(source.problem(0, "", empty), reveals=False))
        return
    if not isinstance(node, yaml.MappingNode):
        other = "a list" if isinstance(node, yaml.SequenceNode) else "one bare value"
        line = node.start_mark.line + 1
        message = f"a {kind.word} is a map of keys and values, and this is {other}"
        parsed.problems.append(source.problem(line, "", message))
        return
    parsed.is_meant = _is_meant(node, kind)
    try:
        parsed.top = _Builder(source, parsed.problems).build(node, 1, "")
    except _TooManyValuesError:
        message = f"its aliases multiply it beyond {MAX_VALUES} values"
        parsed.problems.append(source.problem(0, "", message))


_VERSION_LINE = re.compile(r"^version: *1 *(#.*)?$", re.MULTILINE)
_BASE_NAME = re.compile(r"(debian|ubuntu|rocky)-[0-9.]+\Z")


def _reads_like(text: str, kind: FileKind) -> bool:
    """Whether text that is not YAML has the two lines that every such file has."""
    signs = re.compile(rf"^({'|'.join(kind.signs)}): ", re.MULTILINE)
    return bool(_VERSION_LINE.search(text) and signs.search(text))


def _is_meant(top: yaml.MappingNode, kind: FileKind) -> bool:
    """Whether a map is clearly meant as a file of its kind, typing errors and all.

    Other files have a `version`, `users` or `services` too, and passwords next to them. So one sign
    is enough only when most of the keys are the kind's; a map of our base's name always is one.
    """
    said = {
        key.value: value.value if isinstance(value, yaml.ScalarNode) else None
        for key, value in top.value
        if isinstance(key, yaml.ScalarNode)
    }
    if any(key.startswith("ba") and _BASE_NAME.match(said[key] or "") for key in said):
        return True
    is_version_1 = said.get("version") == "1"
    has_sign = any(sign in said for sign in kind.signs)
    known = sum(key in kind.keys for key in said)
    return (is_version_1 and has_sign) or ((is_version_1 or has_sign) and 2 * known > len(said))


class _TooManyValuesError(Exception):
    """The expanded document is larger than any box."""


class _Loader(yaml.SafeLoader):
    """Composes nodes; counts depth, and leaves the meaning of scalars to us."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node like PyYAML, but not deeper than `MAX_DEPTH` (PyYAML recurses)."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def compose_scalar_node(self, anchor: dict[str, yaml.Node] | None) -> yaml.ScalarNode:
        """Compose a scalar like PyYAML, but with only the tag in the file, else an empty one."""
        tag = self.peek_event().tag  # type: ignore[no-untyped-call]
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)  # type: ignore[arg-type]
        node.tag = tag or ""
        return node


def _compose(source: SourceFile, problems: list[Problem], kind: FileKind) -> yaml.Node | None:
    loader = _Loader(source.text)
    try:
        if not loader.check_node():
            return None
        node = loader.get_node()
        if loader.check_node():
            event = loader.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1
            message = f"a second document begins here (`---`); a {kind.word} file holds one"
            problems.append(source.problem(line, "", message))
        return node
    finally:
        loader.dispose()


def _syntax_problem(source: SourceFile, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    text = source.lines[line - 1] if 1 <= line <= len(source.lines) else ""
    if "\t" in text[: len(text) - len(text.lstrip())]:
        return source.problem(line, "", "a tab indents this line; YAML wants spaces there")
    words = printable(error.problem or "it cannot be read")
    if error.context and error.context_mark and error.context_mark.line + 1 != line:
        words += f" ({printable(error.context)} that begins in line {error.context_mark.line + 1})"
    return source.problem(line, "", f"not valid YAML: {words}")


class _Builder:
    """Turns PyYAML's nodes into values; collects problems and goes on."""

    def __init__(self, source: SourceFile, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        self._count = 0
        self._above: set[int] = set()

    def build(self, node: yaml.Node, line: int, key: str) -> Value:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _TooManyValuesError
        content: Scalar | list[Value] | dict[str, Value] = None
        if id(node) in self._above:
            self._report(line, key, "an alias (`*`) points to the value that it stands in")
        elif isinstance(node, yaml.ScalarNode):
            quoted = node.style is not None
            content = self._scalar(node, line, key)
            return Value(self._source, line, key, content, node.value, quoted)
        elif not node.tag.startswith(_TAG) or node.tag[len(_TAG) :] not in {"map", "seq"}:
            self._report_tag(node, line, key)
        else:
            self._above.add(id(node))
            content = self._map(node, key) if isinstance(node, yaml.MappingNode) else None
            if isinstance(node, yaml.SequenceNode):
                content = [
                    self.build(item, item.start_mark.line + 1, f"{key}[{index}]")
                    for index, item in enumerate(node.value)
                ]
            self._above.discard(id(node))
        return Value(self._source, line, key, content)

    def _map(self, node: yaml.MappingNode, above: str) -> dict[str, Value]:
        content: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(line, above, "a key must be plain text, not a list or a map")
                continue
            name = key_node.value
            key = f"{above}.{printable(name)}" if above else printable(name)
            if key_node.style is None and name == "<<":
                self._report(line, key, "YAML's merge key is not supported; use `extends`")
            elif "\ud800" <= max(name, default="") <= "\udfff":
                self._report(line, above, "a key with an escape that stands for no character")
            elif name in content:
                first = content[name].line
                self._report(line, key, f"{code(name)} is there twice; first in line {first}")
            else:
                content[name] = self.build(value_node, line, key)
        return content

    def _scalar(self, node: yaml.ScalarNode, line: int, key: str) -> Scalar:
        text: str = node.value
        tag = node.tag.removeprefix(_TAG)
        if tag not in {"", "!", "str", "int", "float", "bool", "null"}:
            self._report_tag(node, line, key)
        elif any("\ud800" <= char <= "\udfff" for char in text):
            self._report(line, key, "an escape that stands for no character")
        elif node.style is not None or tag in {"!", "str"}:
            return text
        else:
            return self._plain(text, line, key)
        return None

    def _plain(self, text: str, line: int, key: str) -> Scalar:
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if _INT.match(text) and len(text) <= _MAX_DIGITS:
            return int(text)
        if _FLOAT.match(text):
            number = float(text)
            if number - number == 0:
                return number
        elif text.lower() not in _NOT_FINITE:
            return text
        self._report(line, key, f"{code(text)} is not a finite number")
        return None

    def _report_tag(self, node: yaml.Node, line: int, key: str) -> None:
        tag = node.tag.replace(_TAG, "!!")
        self._report(line, key, f"the tag {code(tag)} is not allowed: plain values only")

    def _report(self, line: int, key: str, message: str) -> None:
        self._problems.append(self._source.problem(line, key, message))
