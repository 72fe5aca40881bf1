"""Write values as words of a shell, Ruby, YAML or nginx: no character of them acts there."""

import json
import re
import shlex

from sandbox.errors import BoxError

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

# YAML takes some of these for line breaks, and forbids the others unless they are escaped
_YAML_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_RUBY_PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")


def sh(value: str) -> str:
    """Quote a word for a POSIX shell, whatever characters are in it.

    Raises:
        BoxError: the value holds a NUL, which no shell word can.
    """
    if "\0" in value:
        raise BoxError(f"a NUL byte cannot be passed to a shell: {value!r}")
    return shlex.quote(value)


def ruby(value: Json) -> str:
    """Write a Ruby literal in which Ruby interpolates nothing."""
    match value:
        case None:
            literal = "nil"
        case bool():
            literal = str(value).lower()
        case int() | float():
            literal = repr(value)
        case list():
            literal = f"[{', '.join(ruby(item) for item in value)}]"
        case dict():
            pairs = (f"{ruby(key)} => {ruby(item)}" for key, item in value.items())
            literal = f"{{{', '.join(pairs)}}}"
        case str() if _RUBY_PLAIN.fullmatch(value):
            # Between single quotes only these two mean anything
            literal = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case _:
            literal = '"' + "".join(_ruby_character(character) for character in value) + '"'
    return literal


def _ruby_character(character: str) -> str:
    code = ord(character)
    if re.fullmatch(r"[A-Za-z0-9 _./:,=-]", character):
        return character
    if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004  (a byte that was not UTF-8, as Python keeps it)
        return f"\\x{code & 0xFF:02X}"
    return f"\\u{{{code:X}}}"


def yaml(value: Json) -> str:
    """Write a value that YAML and JSON read alike, on one line."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return _YAML_ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def nginx(value: str) -> str:
    """Quote a word for a configuration of nginx.

    Raises:
        BoxError: it has a character that nginx cannot quote: a dollar sign, a line break.
    """
    if "$" in value or not value.isprintable():
        raise BoxError(f"nginx cannot be told of {value!r}", hint="use a path without `$` in it")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
