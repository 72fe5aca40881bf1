"""Take out of facts what a box calls a secret, also where it looks like anything else.

A password may be `4` or `production`: the probe cannot know. Which names of the box hold secrets is
known here, before the facts are kept or shown.
"""

import re
from collections.abc import Collection
from dataclasses import replace

from sandbox.facts import r_value
from sandbox.facts.facts import Facts
from sandbox.facts.r_value import RValue
from sandbox.probe.redact import REDACTED
from sandbox.probe.untaken import HashKey, is_untaken, placeholder


def conceal(facts: Facts, names: Collection[str], key: HashKey) -> Facts:
    """Put placeholders for the values of these variables, options and repositories in the facts."""
    if not names:
        return facts
    concealer = _Concealer(names, key)
    return Facts.model_validate(concealer.within(facts.model_dump(mode="json")))


class _Concealer:
    def __init__(self, names: Collection[str], key: HashKey) -> None:
        self._key = key
        words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        # In configuration files a key may have its section, or `export`, before it
        self._keys = re.compile(rf"(?:^|[.\s])(?:{words})$")
        # NAME=value, "NAME" = value, options(NAME = value): to the end of the line
        self._lines = re.compile(rf"(?<![\w.])((?:{words})[\"'`]?\s*(?:=|<-)\s*)(\S.*)")

    def within(self, value: object) -> object:
        """Conceal the values inside a part of the facts' JSON."""
        match value:
            case dict():
                return {name: self._under(str(name), one) for name, one in value.items()}
            case list():
                return [self.within(one) for one in value]
            case str():
                return self._lines.sub(lambda found: found[1] + self._hidden(found[2]), value)
            case _:
                return value

    def _under(self, name: str, value: object) -> object:
        if name == "options" and isinstance(value, dict):
            return {key: self._option(str(key), code) for key, code in value.items()}
        if isinstance(value, str) and self._keys.search(name):
            return self._hidden(value)
        return self.within(value)

    def _option(self, name: str, code: object) -> object:
        if not isinstance(code, str) or not self._keys.search(name):
            return self.within(code)
        value = r_value.read(code)
        return self._hidden(code) if value is None else r_value.write(self._without_parts(value))

    def _without_parts(self, value: RValue) -> RValue:
        """The value with placeholders for its parts: its type is no secret."""
        return replace(
            value,
            values=tuple(None if one is None else self._hidden(one) for one in value.values),
            items=tuple(map(self._without_parts, value.items)),
        )

    def _hidden(self, text: str) -> str:
        return text if is_untaken(text) or REDACTED in text else placeholder(text, self._key)
