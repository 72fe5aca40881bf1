"""Values of R as the code that makes them: `7L`, `"1e9"`, `c(a = "x")`, `quote(recover())`.

So a value keeps its type on every way. What is plain (a vector, a list of such) can be read back;
a function, a call or an object is its code and no more. A part that was not taken from its machine
is a placeholder: in quotes when it is text, and with its `L` when it is a whole number.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sandbox.probe import untaken
from sandbox.probe.untaken import Verdict

Type = Literal["NULL", "logical", "integer", "double", "character", "list"]

LARGEST_INTEGER: Final = 2**31 - 1
"""R's own: a larger whole number is a double."""
_MOST_PARTS = 2000
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<hidden><not\ taken:\ [^>]*>L?)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)L?)
    | (?P<word>[A-Za-z.][A-Za-z0-9._]*)
    | `(?P<ticked>[^`\\]+)`
    | (?P<mark>[-(),=:])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})"
    r"|u\{([0-9a-fA-F]{1,4})\}|U\{([0-9a-fA-F]{1,8})\}|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_MISSING: Final[dict[str, Type]] = {
    "NA": "logical",
    "NA_integer_": "integer",
    "NA_real_": "double",
    "NA_character_": "character",
}
_EMPTY: Final[dict[str, Type]] = {
    "logical": "logical",
    "integer": "integer",
    "numeric": "double",
    "double": "double",
    "character": "character",
}
_ORDER: Final[tuple[Type, ...]] = ("logical", "integer", "double", "character")
_SYNTACTIC = re.compile(r"([A-Za-z]|\.(?![0-9]))[A-Za-z0-9._]*")
NUMBERS_OF_R: Final = frozenset(
    {"citation.bibtex.max", "deparse.cutoff", "deparse.max.lines", "digits", "digits.secs"}
    | {"expressions", "internet.info", "max.contour.segments", "max.deparse.length", "max.print"}
    | {"nwarnings", "scipen", "showNCalls", "timeout", "traceback.max.lines", "ts.eps", "warn"}
    | {"warning.length", "width", "width.cutoff"}
)
"""Options of R's own that it makes whole numbers of, or not, as its version has it."""
_KEYWORDS = frozenset(
    {"if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE"}
    | {"NULL", "Inf", "NaN", *_MISSING}
)


@dataclass(frozen=True)
class RValue:
    """A plain value of R."""

    type: Type
    values: tuple[str | None, ...] = ()
    """Each as text, without quotes and `L`; None is NA."""
    names: tuple[str, ...] | None = None
    items: tuple["RValue", ...] = ()
    """Of a list."""


_CONSTANTS: Final = {
    "TRUE": RValue("logical", ("TRUE",)),
    "FALSE": RValue("logical", ("FALSE",)),
    "Inf": RValue("double", ("Inf",)),
    "NaN": RValue("double", ("NaN",)),
    "NULL": RValue("NULL"),
    **{word: RValue(type_, (None,)) for word, type_ in _MISSING.items()},
}


class _NotPlainError(Exception):
    """The code is more than a plain value."""


def read(code: str) -> RValue | None:
    """Parse the plain value that `code` makes; None when it is a function, a call or the like."""
    try:
        reader = _ValueReader(list(_tokens(code)))
        value = reader.value()
        return value if reader.at == len(reader.tokens) else None
    except (_NotPlainError, IndexError, ValueError, OverflowError, RecursionError):
        return None


def write(value: RValue) -> str:
    """Write the code that makes `value`, ASCII, in one line."""
    names = value.names
    match value.type:
        case "NULL":
            return "NULL"
        case "list":
            return f"list({_joined([write(one) for one in value.items], names)})"
        case _ if not value.values:
            return f"{'numeric' if value.type == 'double' else value.type}(0)"
        case _ if len(value.values) == 1 and names is None:
            return _atom(value.type, value.values[0])
        case _:
            return f"c({_joined([_atom(value.type, one) for one in value.values], names)})"


def as_r_keeps(name: str, code: str) -> str:
    """Return an option's code as R itself keeps it: 7 and 7L of `digits` are the same."""
    if name not in NUMBERS_OF_R:
        return code
    value = read(code)
    if value is None or value.type != "integer":
        return code
    return write(RValue("double", value.values, value.names))


def text(value: str) -> str:
    """Quote a string for R, in ASCII: it means the same in every locale that R may start in."""
    return '"' + "".join(_character(one) for one in value) + '"'


def number(value: float) -> str:
    """Write a number as the probe does: the fewest digits that mean this very one."""
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    short = f"{value:.15g}"
    return short if math.isnan(value) or float(short) == value else f"{value:.17g}"


def compare(a: str, b: str, *, same_key: bool = True) -> Verdict:
    """Compare two values, types included, as far as they were taken."""
    one, other = read(a), read(b)
    if one is None or other is None:
        # Blanks and line ends are R's own affair: they depend on its version
        words = [_with_blanks("".join(code.split())) for code in (a, b)]
        return _compare_texts(words[0], words[1], same_key=same_key)
    return _compare(one, other, same_key=same_key)


def parts(value: RValue) -> Iterator[str]:
    """Yield the texts of all parts of a value, NA left out."""
    yield from (one for one in value.values if one is not None)
    for item in value.items:
        yield from parts(item)


def kind_of(code: str) -> str:
    """Name the kind of value as a person would: `text`, `a whole number`, `a function`."""
    value = read(code)
    if value is None:
        return "a function" if code.startswith(("function", "\\(")) else "R code"
    words = {
        "NULL": "NULL",
        "logical": "TRUE or FALSE",
        "integer": "a whole number (L)",
        "double": "a number",
        "character": "text",
        "list": "a list",
    }[value.type]
    if value.type in ("NULL", "list") or (len(value.values) == 1 and value.names is None):
        return words
    named = "" if value.names is None else " with names"
    return f"{len(value.values)} of {words}{named}"


def _compare(a: RValue, b: RValue, *, same_key: bool) -> Verdict:
    alike = a.type == b.type and a.names == b.names
    if not alike or len(a.values) != len(b.values) or len(a.items) != len(b.items):
        return "differs"
    found = [
        _compare_parts(one, other, same_key=same_key)
        for one, other in zip(a.values, b.values, strict=True)
    ]
    found += [
        _compare(one, other, same_key=same_key) for one, other in zip(a.items, b.items, strict=True)
    ]
    return next((word for word in ("differs", "unknown") if word in found), "equal")


def _compare_parts(a: str | None, b: str | None, *, same_key: bool) -> Verdict:
    if a is None or b is None:
        return "equal" if a is b else "differs"
    return _compare_texts(a, b, same_key=same_key)


def _compare_texts(a: str, b: str, *, same_key: bool) -> Verdict:
    if untaken.is_untaken(a) or untaken.is_untaken(b):
        return untaken.compare(a, b, same_key=same_key)
    return "equal" if a == b else "differs"


def _with_blanks(words: str) -> str:
    """Placeholders as they were, in code without blanks."""
    return re.sub(
        r"<nottaken:([0-9+-]+)characters(?:,(#[0-9A-F]+))?>",
        lambda found: f"<not taken: {found[1]} characters{f', {found[2]}' if found[2] else ''}>",
        words,
    )


def _joined(codes: Sequence[str], names: Sequence[str] | None) -> str:
    if names is None:
        return ", ".join(codes)
    return ", ".join(
        f"{_name(name)} = {code}" if name else code for name, code in zip(names, codes, strict=True)
    )


def _name(name: str) -> str:
    plain = _SYNTACTIC.fullmatch(name) and name not in _KEYWORDS
    return name if plain else text(name)


def _atom(type_: Type, value: str | None) -> str:
    if value is None:
        return next(word for word, kind in _MISSING.items() if kind == type_)
    if type_ == "character":
        return f'"{value}"' if untaken.is_placeholder(value) else text(value)
    return f"{value}L" if type_ == "integer" else value


def _character(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if 0x20 <= code < 0x7F:  # noqa: PLR2004
        return character
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def _tokens(code: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(code.rstrip())
    count = 0
    while at < end:
        found = _TOKEN.match(code, at)
        count += 1
        if found is None or found.lastgroup is None or count > 4 * _MOST_PARTS:
            raise _NotPlainError
        at = found.end()
        yield found.lastgroup, found[found.lastgroup]


class _ValueReader:
    """Goes through the tokens of one value."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0

    def value(self) -> RValue:
        found = self._one()
        if self._peek() == ("mark", ":"):
            self.at += 1
            return _range(found, self._one())
        return found

    def _one(self) -> RValue:
        kind, word = self._next()
        if kind == "hidden":
            whole = word.endswith("L")
            return RValue("integer" if whole else "double", (word.removesuffix("L"),))
        if kind == "text":
            return RValue("character", (_unquoted(word),))
        if kind == "number":
            return _number(word)
        return _negative(self._one()) if word == "-" else self._word(kind, word)

    def _word(self, kind: str, word: str) -> RValue:
        if kind != "word":
            raise _NotPlainError
        if self._peek() == ("mark", "("):
            return self._call(word)
        if word not in _CONSTANTS:
            raise _NotPlainError
        return _CONSTANTS[word]

    def _call(self, function: str) -> RValue:
        names, items = self._arguments()
        if function in _EMPTY and items == [RValue("double", ("0",))] and names is None:
            return RValue(_EMPTY[function])
        if function == "list":
            return RValue("list", names=names, items=tuple(items))
        if function == "c" and items:
            return _combined(names, items)
        raise _NotPlainError

    def _arguments(self) -> tuple[tuple[str, ...] | None, list[RValue]]:
        self._expect("(")
        names: list[str] = []
        items: list[RValue] = []
        while self._peek() != ("mark", ")"):
            if items:
                self._expect(",")
            names.append(self._argument_name())
            items.append(self.value())
        self._expect(")")
        return (tuple(names) if any(names) else None), items

    def _argument_name(self) -> str:
        kind, word = self._peek()
        named = self.tokens[self.at + 1 : self.at + 2] == [("mark", "=")]
        if not named or kind not in ("word", "text", "ticked"):
            return ""
        self.at += 2
        return _unquoted(word) if kind == "text" else word

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def _expect(self, mark: str) -> None:
        if self._next() != ("mark", mark):
            raise _NotPlainError


def _number(word: str) -> RValue:
    bare = word.removesuffix("L")
    value = float(int(bare, 16)) if bare[:2].lower() == "0x" else float(bare)
    if word.endswith("L"):
        return RValue("integer", (str(int(value)),))
    return RValue("double", (number(value),))


def _negative(value: RValue) -> RValue:
    if value.type not in ("integer", "double") or len(value.values) != 1:
        raise _NotPlainError
    (one,) = value.values
    if one is None or one.startswith("-"):
        raise _NotPlainError
    return RValue(value.type, (one if one == "NaN" else f"-{one}",))


def _range(first: RValue, last: RValue) -> RValue:
    """`1:3`, which R makes of whole numbers."""
    ends = [one.values[0] for one in (first, last) if len(one.values) == 1]
    start, stop = (int(float(end or "")) for end in ends)
    if abs(stop - start) >= _MOST_PARTS or max(abs(start), abs(stop)) > LARGEST_INTEGER:
        raise _NotPlainError
    step = 1 if stop >= start else -1
    return RValue("integer", tuple(str(one) for one in range(start, stop + step, step)))


def _combined(names: tuple[str, ...] | None, items: list[RValue]) -> RValue:
    """c(): the parts become what the widest of them is."""
    if any(one.type not in _ORDER or one.names is not None for one in items):
        raise _NotPlainError
    if names is not None and any(len(one.values) != 1 for one in items):
        raise _NotPlainError
    type_ = max((one.type for one in items), key=_ORDER.index)
    values = tuple(_widened(value, one.type, type_) for one in items for value in one.values)
    return RValue(type_, values, names)


def _widened(value: str | None, has: Type, wanted: Type) -> str | None:
    if has == wanted or value is None or (has, wanted) == ("integer", "double"):
        return value
    # TRUE among numbers, numbers among texts: nobody writes that, and the probe never does
    raise _NotPlainError


def _unquoted(word: str) -> str:
    def one(found: re.Match[str]) -> str:
        for at, base in ((1, 16), (2, 16), (3, 16), (4, 16), (5, 16), (6, 8)):
            if found[at]:
                return chr(int(found[at], base))
        return _ESCAPES.get(found[7], found[7])

    return _ESCAPE.sub(one, word[1:-1])
