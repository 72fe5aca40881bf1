"""Text of strangers without what a terminal or a browser obeys and nobody sees."""

import unicodedata
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """`text` without escapes, overprinting, other directions, half characters, what has no width.

    Line ends and tabs stay; each other such character is replaced, so that it is seen that
    something stood there.
    """
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char if _is_shown(char) else REPLACEMENT for char in text)


def _is_shown(char: str) -> bool:
    # Blanks of other widths count as not printable, and are what French and tables are set with
    return char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs"
