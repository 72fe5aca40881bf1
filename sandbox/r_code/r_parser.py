"""R's own parser, where this host has R: it reads code and runs none of it."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import CommandError
from sandbox.r_code.tokens import Token, tokens_of

_SCRIPT: Final = Path(__file__).with_name("tokens.R")
_TIMEOUT_S: Final = 20.0
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
_ESCAPED: Final = re.compile(
    r"\\(u\{[0-9a-f]+\}|u[0-9a-f]{4}|U[0-9a-f]{8}|x[0-9a-f]{2}|.)", re.DOTALL
)


@dataclass(frozen=True)
class ParsedCode:
    """One piece of code as words; and the reason why R cannot read it."""

    tokens: tuple[Token, ...]
    error: str = ""
    """The tokens of R itself; otherwise the tokens are from our own reader."""
    error_line: int = 0
    r_version: tuple[int, ...] = ()
    """The version of the R that refused the code."""


def rscript() -> str | None:
    """Find this host's Rscript, if it has one."""
    return shutil.which("Rscript")


def parse_all(texts: Sequence[str]) -> list[ParsedCode]:
    """Cut pieces of R code into words, by R itself where it is there and answers."""
    program = rscript()
    if program is None or not texts:
        return [ParsedCode(tuple(tokens_of(text))) for text in texts]
    try:
        return list(_by_r(program, texts))
    except (CommandError, ValueError, IndexError):
        # An R that does not start or answers wrongly: our own reader does almost as well
        return [ParsedCode(tuple(tokens_of(text))) for text in texts]


def _by_r(program: str, texts: Sequence[str]) -> Iterator[ParsedCode]:
    # Most boxes have no app to read, and then `validate` starts no R
    from sandbox.run import run

    pieces = [text.replace("\r\n", "\n").replace("\0", "").split("\n") for text in texts]
    told = "".join(f"{len(lines)}\n" + "\n".join(lines) + "\n" for lines in pieces)
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "en",
        "HOME": "/nonexistent",
        "R_DEFAULT_PACKAGES": "utils",
    }
    done = run(
        [program, "--vanilla", _SCRIPT],
        timeout_s=_TIMEOUT_S,
        stdin=told,
        env=environment,
        only_env=True,
    )
    answer = iter(done.stdout.split("\n"))
    version = tuple(int(part) for part in next(answer).split()[1].split("."))
    for text in texts:
        head, number, *words = next(answer, "").split(" ", 2)
        if head == "error":
            ours = tuple(tokens_of(text))
            yield ParsedCode(ours, words[0] if words else "it cannot be read", int(number), version)
        elif head == "piece":
            yield ParsedCode(tuple(_token(next(answer)) for _ in range(int(number))))
        else:
            raise ValueError(head)


def _token(line: str) -> Token:
    number, kind, text = line.split(" ", 2)
    text = _ESCAPED.sub(_unescaped, text)
    if kind == "m":
        return Token(int(number), "mark", text)
    if kind == "w" and not text.startswith("`"):
        return Token(int(number), "word", text)
    (inside,) = tokens_of(text)[:1]
    return Token(int(number), inside.kind, inside.text)


def _unescaped(found: re.Match[str]) -> str:
    word = found[1]
    if word[0] in "uUx" and len(word) > 1:
        return chr(int(word[1:].strip("{}"), 16))
    return _ESCAPES.get(word, word)
