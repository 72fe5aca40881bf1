"""How a value is shown on a terminal, in a page and in what is kept."""

import re

from sandbox.facts import r_value
from sandbox.facts.r_value import RValue
from sandbox.probe.known import harmless
from sandbox.probe.untaken import HashKey, is_untaken, placeholder, without_hash
from sandbox.spec.values import OptionScalar, OptionValue, RCode, Secret

_QUOTED_PLACEHOLDER = re.compile(r'"(<not taken: [^>"]*>)"')


def shown_value(name: str, value: str | Secret) -> str:
    """Show the value of a variable or repository, when it is known to be harmless.

    Else what stands for it: a secret's name, or how long the value is. Never a hash of it.
    """
    if isinstance(value, Secret):
        return str(value)
    if is_untaken(value):
        return without_hash(value)
    return value if harmless(name, value) else placeholder(value)


def shown_option(name: str, value: OptionValue | Secret) -> str:
    """Show the value of an option as R code, as far as it is known to be harmless."""
    if isinstance(value, Secret):
        return str(value)
    return shown_code(name, planned_code(value), ours=True)


def shown_code(name: str, code: str, *, ours: bool = False) -> str:
    """Show the code of an option's value, as far as it is known to be harmless.

    Args:
        name: of the option.
        code: that makes the value.
        ours: it is a box's; the code of a machine's facts was looked at there, part by part.
    """
    value = r_value.read(code)
    if value is None:
        return placeholder(code) if ours else without_hash(code)
    return _QUOTED_PLACEHOLDER.sub(r"\1", without_hash(r_value.write(hidden(name, value))))


def hidden(name: str, value: RValue, key: HashKey | None = None) -> RValue:
    """Put placeholders in a value for what of it is not known to be harmless."""

    def one(part: str | None) -> str | None:
        if part is None or is_untaken(part) or harmless(name, part):
            return part
        return placeholder(part, key)

    return RValue(
        value.type,
        tuple(map(one, value.values)),
        value.names,
        tuple(hidden(name, item, key) for item in value.items),
    )


def planned_code(value: OptionValue) -> str:
    """Write the R code that makes the value which a box gives an option."""
    if isinstance(value, RCode):
        plain = r_value.read(value.r)
        return value.r if plain is None else r_value.write(plain)
    if isinstance(value, tuple):
        parts = [_plain(one) for one in value]
        types = {part.type for part in parts}
        type_ = "double" if "double" in types else parts[0].type
        return r_value.write(RValue(type_, tuple(part.values[0] for part in parts)))
    return r_value.write(_plain(value))


def _plain(value: OptionScalar) -> RValue:
    if isinstance(value, bool):
        return RValue("logical", ("TRUE" if value else "FALSE",))
    if isinstance(value, int) and abs(value) <= r_value.LARGEST_INTEGER:
        return RValue("integer", (str(value),))
    if isinstance(value, int | float):
        return RValue("double", (r_value.number(float(value)),))
    return RValue("character", (value,))
