"""Text from strangers, without hidden characters that a terminal or a browser would obey."""

import unicodedata
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """Replace escapes, overprinting, changes of direction, and invisible or broken characters.

    Line ends and tabs stay. Each other such character is replaced, so the reader sees that
    something stood there.
    """
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char if _is_shown(char) else REPLACEMENT for char in text)


def _is_shown(char: str) -> bool:
    # Blanks of other widths count as not printable, but French texts and tables use them
    return char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs"
