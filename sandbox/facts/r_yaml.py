"""The value of an R option as a box says it: it keeps its type."""

import json
import re

from sandbox.facts import r_value
from sandbox.facts.r_value import RValue
from sandbox.probe.untaken import is_untaken

_NO_CODE = re.compile(r"<[A-Za-z0-9]+>")
_LONGEST = 4096
_MOST_PARTS = 1000


def option_yaml(code: str) -> str | None:
    """Write the value that `code` makes as a box says it; None when it cannot."""
    if _NO_CODE.fullmatch(code) or is_untaken(code):
        return None
    value = r_value.read(code)
    plain = None if value is None else _plain_yaml(value)
    if plain is not None:
        return plain
    text = code.strip() if value is None else r_value.write(value)
    shown = text.replace("\n", "").replace("\t", "")
    if not text or len(text) > _LONGEST or not shown.isprintable():
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
