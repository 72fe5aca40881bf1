"""Cut R code into its words: enough to see which function is called with what, without R.

Comments, strings of every kind (raw strings too), names between backticks and numbers are
recognised by R's rules. Text that is not R gives some words, and never an error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["word", "string", "mark"]


@dataclass(frozen=True)
class Token:
    """One word of R."""

    line: int
    kind: Kind
    text: str
    """The text of a string, or the name between backticks."""


_RAW_OPEN: Final = re.compile(r"""[rR](["'])(-*)([\(\[{])""")
_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
_NUMBER: Final = re.compile(
    r"(?:0[xX][0-9a-fA-F]*(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?[0-9]+)?"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[Li]?"
)
_WORD: Final = re.compile(r"(?:\.(?![0-9])|[^\W\d_])[\w.]*")
_MARK: Final = re.compile(
    r"%[^%\n]*%|:::|<<-|->>|\|\|>|::|:=|<-|->|<=|>=|==|!=|&&|\|\||\|>|\[\[|\*\*|=>|[^\s\w]"
)
_QUOTED: Final = {
    quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "\"'`"
}
_SKIPPED: Final = re.compile(r"[ \t\r\f\v\u00a0]+|#[^\n]*")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def tokens_of(text: str) -> list[Token]:
    """Cut R code into words; a string that does not end takes the rest."""
    return list(_cut(text))


def _cut(text: str) -> Iterator[Token]:
    at, line = 0, 1
    while at < len(text):
        if text[at] == "\n":
            at, line = at + 1, line + 1
            continue
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
            continue
        token, end = _next(text, at, line)
        yield token
        line += text.count("\n", at, end)
        at = end


def _next(text: str, at: int, line: int) -> tuple[Token, int]:
    if raw := _RAW_OPEN.match(text, at):
        closing = f"{_PAIRS[raw[3]]}{raw[2]}{raw[1]}"
        found = text.find(closing, raw.end())
        end = len(text) if found < 0 else found
        return Token(line, "string", text[raw.end() : end]), min(end + len(closing), len(text))
    if text[at] in _QUOTED:
        kind: Kind = "word" if text[at] == "`" else "string"
        quoted = _QUOTED[text[at]].match(text, at)
        inside = quoted[1] if quoted else text[at + 1 :]
        end = quoted.end() if quoted else len(text)
        return Token(line, kind, _ESCAPE.sub(r"\1", inside)), end
    for kind, shape in (("word", _WORD), ("mark", _NUMBER), ("mark", _MARK)):
        if (found_here := shape.match(text, at)) and found_here.end() > at:
            return Token(line, kind, found_here[0]), found_here.end()
    return Token(line, "mark", text[at]), at + 1
