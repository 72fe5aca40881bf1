"""R's options as a box says them: each keeps its type, and what cannot be said is said to be so."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbox.facts import r_value
from sandbox.facts.facts import Facts
from sandbox.facts.r_value import RValue
from sandbox.facts.r_view import RView
from sandbox.facts.shown import shown_code
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.options import COSMETIC_OPTIONS
from sandbox.probe.untaken import is_placeholder, is_untaken

# Options as R has them without any profile; what differs, somebody has set
_R_DEFAULTS: Final = {
    "add.smooth": "TRUE", "browserNLdisabled": "FALSE", "CBoundsCheck": "FALSE",
    "check.bounds": "FALSE",
    "contrasts": 'c(unordered = "contr.treatment", ordered = "contr.poly")',
    "deparse.cutoff": "60", "deparse.max.lines": "-1",
    "digits": "7", "encoding": '"native.enc"', "expressions": "5000", "keep.parse.data": "TRUE",
    "keep.parse.data.pkgs": "FALSE", "keep.source": "FALSE", "keep.source.pkgs": "FALSE",
    "matprod": '"default"', "max.contour.segments": "25000", "max.print": "99999",
    "max.deparse.length": "60", "na.action": '"na.omit"',
    "nwarnings": "50", "OutDec": '"."', "PCRE_limit_recursion": "NA", "PCRE_study": "FALSE",
    "PCRE_use_JIT": "TRUE", "pkgType": '"source"', "scipen": "0", "show.coef.Pvalues": "TRUE",
    "show.error.messages": "TRUE", "show.signif.stars": "TRUE", "showErrorCalls": "TRUE",
    "showNCalls": "50", "showWarnCalls": "FALSE", "stringsAsFactors": "FALSE", "timeout": "60",
    "ts.eps": "1e-05", "ts.S.compat": "FALSE", "useFancyQuotes": "TRUE", "warn": "0",
    "warning.length": "1000", "warnPartialMatchArgs": "FALSE", "warnPartialMatchAttr": "FALSE",
    "warnPartialMatchDollar": "FALSE", "width": "80", "width.cutoff": "60",
    "catch.script.errors": "FALSE", "traceback.max.lines": "-1",
}  # fmt: skip
_NOT_TO_SET = re.compile(rf"{COSMETIC_OPTIONS.pattern}|str\..*|ts\..*")
_NAME = re.compile(r"[A-Za-z.][A-Za-z0-9._]{0,127}")
_USUAL_AGENT = re.compile(r'"R \([0-9.]+ [a-z0-9_]+(-[a-z0-9_]+)* [a-z0-9_]+ linux-gnu\)"')
_NO_CODE = re.compile(r"<[A-Za-z0-9]+>")
_LONGEST = 4096
_LONGEST_SHOWN = 200
_MOST_PARTS = 1000


@dataclass(frozen=True)
class Options:
    """What somebody has set on a server."""

    said: tuple[tuple[str, str], ...]
    """Name, and the value as YAML."""
    secret: tuple[str, ...]
    """Names of those that are one text, and were not taken."""
    unsaid: tuple[str, ...]
    """What a box cannot say, each with its value where that is known."""


def choose_options(facts: Facts, view: RView) -> Options:
    """The options that somebody has set."""
    said, secret = [], []
    unsaid: list[str] = []
    for name, code in sorted(view.options.items()):
        if _NOT_TO_SET.fullmatch(name):
            unsaid += _of_no_result(facts, name, code)
            continue
        if _R_DEFAULTS.get(name) == r_value.as_r_keeps(name, code):
            continue
        value = r_value.read(code)
        if not _NAME.fullmatch(name):
            unsaid.append(f"{name} (no box can name it)")
        elif value is not None and _is_hidden_text(value):
            secret.append(name)
        elif (written := option_yaml(code)) is not None:
            said.append((name, written))
        else:
            unsaid.append(f"{name} = {_short(name, code)}")
    return Options(tuple(said), tuple(secret), tuple(unsaid))


def option_yaml(code: str) -> str | None:
    """The value that `code` makes, as a box says it; None when it cannot."""
    if _NO_CODE.fullmatch(code) or is_untaken(code):
        return None
    value = r_value.read(code)
    plain = None if value is None else _plain_yaml(value)
    if plain is not None:
        return plain
    text = code.strip() if value is None else r_value.write(value)
    shown = text.replace("\n", "").replace("\t", "")
    if len(text) > _LONGEST or not shown.isprintable():
        return None
    return f"{{r: {json.dumps(text, ensure_ascii=False)}}}"


def _plain_yaml(value: RValue) -> str | None:
    """A value that YAML has a word for."""
    if value.type in ("NULL", "list") or value.names is not None or not value.values:
        return None
    if None in value.values or len(value.values) > _MOST_PARTS:
        return None
    parts = [_part(value, one or "") for one in value.values]
    if any(part is None for part in parts):
        return None
    words = [part or "" for part in parts]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def _part(value: RValue, part: str) -> str | None:
    match value.type:
        case "logical":
            return part.lower()
        case "integer":
            return part
        case "double":
            return _double(part)
        case _:
            return json.dumps(part, ensure_ascii=False) if _is_text(part) else None


def _double(part: str) -> str | None:
    """With its point, so that every reader of YAML takes it for one: 600.0, 1.0e-05."""
    if part.lstrip("-") in ("Inf", "NaN"):
        return None
    written = repr(float(part))
    digits, e, exponent = written.partition("e")
    return written if not e or "." in digits else f"{digits}.0e{exponent}"


def _is_text(part: str) -> bool:
    return part.isprintable() and len(part) <= _LONGEST


def _is_hidden_text(value: RValue) -> bool:
    part = value.values[0] if len(value.values) == 1 else None
    return value.type == "character" and value.names is None and is_placeholder(part or "")


def _of_no_result(facts: Facts, name: str, code: str) -> Iterator[str]:
    """Options that no result depends on are said when somebody has set them all the same."""
    if name == "HTTPUserAgent":
        if not _USUAL_AGENT.fullmatch(code):
            known = _short(name, code)
            yield f"HTTPUserAgent = {known} (by it repositories give binary or source packages)"
    elif any(
        _sets(config.settings, name)
        for config in facts.get(Configs) or ()
        if _is_profile(config.path)
    ):
        yield f"{name} = {_short(name, code)}"


def _is_profile(path: str) -> bool:
    return path.endswith("Rprofile.site")


def _sets(settings: dict[str, str], name: str) -> bool:
    word = re.compile(rf"(?<![\w.]){re.escape(name)}[\"`]? = ")
    return any(word.search(text) for text in settings.values())


def _short(name: str, code: str) -> str:
    text = " ".join(shown_code(name, code).split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
