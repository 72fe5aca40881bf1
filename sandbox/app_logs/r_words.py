"""R's messages in any language that R has: recognised by R's own translations.

The translations are on the machine, where the log is read as well. Without them, English is known.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

ERROR_IN: Final = ("Error in ", "Error in %s : ", "Error: ")
WARNING_IN: Final = ("Warning in %s :", "Warning:", "Warning message:")
HALTED: Final = "Execution halted\n"
CALLS: Final = "Calls:"
NO_PACKAGE: Final = "there is no package called %s"
NO_FUNCTION: Final = 'could not find function "%s"'
NO_FILE: Final = "cannot open file '%s': %s"
NO_MEMORY: Final = tuple(
    f"cannot allocate vector of size {size}" for size in ("%0.1f Gb", "%0.1f Mb", "%0.f Kb")
)

MESSAGES: Final = (
    *ERROR_IN,
    *WARNING_IN,
    HALTED,
    CALLS,
    NO_PACKAGE,
    NO_FUNCTION,
    NO_FILE,
    *NO_MEMORY,
)
"""The messages as in R's source: by these texts its catalogues are searched."""

_PLACE = re.compile(r"%(?:[0-9]\$)?[-0-9.]*[a-z]")
# Straight ones, and those of all locales: 6 and 9, single and double, low, guillemets, corners
_QUOTES = (
    "'\"` \u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u300c\u300d\u300e\u300f"
)
_MIN_LETTERS = 2


@dataclass(frozen=True)
class RWords:
    """Each message in the languages of the machine's R; English is always among them."""

    translations: Mapping[str, tuple[str, ...]]

    def begins_error(self, line: str) -> bool:
        """Tell whether a line is the first of an error, of R's or of Shiny's."""
        return self._error.match(line) is not None

    def begins_warning(self, line: str) -> bool:
        """Tell whether a line is the first of a warning."""
        return not self.begins_error(line) and self._warning.match(line) is not None

    def is_end(self, line: str) -> bool:
        """Tell whether R says in this line that it stops."""
        return line.strip() in self._ends

    def is_calls(self, line: str) -> bool:
        """Tell whether in this line R lists which functions called each other."""
        return self._calls.match(line) is not None

    def names_in(self, message: str, text: str) -> tuple[str, ...]:
        """Return what stands in place of the first `%s` of a message, each time it occurs."""
        found = []
        for pattern in self._patterns(message):
            found += [one[1].strip(_QUOTES) for one in pattern.finditer(text)]
        return tuple(dict.fromkeys(name for name in found if name))

    @cached_property
    def _error(self) -> re.Pattern[str]:
        # Shiny tells its errors as warnings, and its own words are never translated
        shiny = r"(?:\S+\s?: )?Error in "
        return re.compile("|".join([shiny, *self._beginnings(ERROR_IN)]))

    @cached_property
    def _warning(self) -> re.Pattern[str]:
        return re.compile("|".join(self._beginnings(WARNING_IN)))

    @cached_property
    def _calls(self) -> re.Pattern[str]:
        return re.compile("|".join(self._beginnings((CALLS,))))

    @cached_property
    def _ends(self) -> frozenset[str]:
        return frozenset(one.strip() for one in self._forms(HALTED))

    def _forms(self, message: str) -> tuple[str, ...]:
        return (message, *self.translations.get(message, ()))

    def _beginnings(self, messages: Iterable[str]) -> list[str]:
        """Patterns for the text before the first `%s`, or after a `%s` that comes first."""
        found = set()
        for form in (form for one in messages for form in self._forms(one)):
            head, _, tail = (part.strip() for part in _halves(form))
            if len(head) >= _MIN_LETTERS:
                found.add(rf"\s*{re.escape(head)}")
            elif len(tail) >= _MIN_LETTERS:
                found.add(rf".+?{re.escape(tail)}")
        return sorted(found)

    def _patterns(self, message: str) -> list[re.Pattern[str]]:
        made = []
        for form in dict.fromkeys(self._forms(message)):
            head, place, tail = _halves(form)
            # The quotes around a name are R's, or those of the locale
            before, after = _loose(head.strip(_QUOTES)), _loose(tail.strip(_QUOTES))
            if not place or not before + after:
                continue
            name = rf"[{_QUOTES}]*([^{_QUOTES}\n][^{_QUOTES.replace(' ', '')}\n]*?)[{_QUOTES}]*"
            # A place at the end of the message ends with its quote, or its line
            made.append(re.compile(before + name + (after or r"(?=\s|[,;:]|$)"), re.MULTILINE))
        return made


def _loose(text: str) -> str:
    """A pattern for the text, wherever R has broken its lines."""
    return r"\s+".join(re.escape(word) for word in text.split())


def _halves(form: str) -> tuple[str, str, str]:
    """The text before the first `%s`, the `%s`, and the text up to the next one."""
    place = _PLACE.search(form)
    if place is None:
        return form, "", ""
    return form[: place.start()], place[0], _PLACE.split(form[place.end() :])[0]


ENGLISH: Final = RWords({})
