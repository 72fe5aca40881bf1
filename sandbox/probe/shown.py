"""How a value is shown on a terminal, in a page and in what is kept."""

from sandbox.probe.known import harmless
from sandbox.probe.untaken import is_untaken, placeholder, without_hash
from sandbox.spec.models import OptionValue, Secret


def shown_value(name: str, value: OptionValue | Secret) -> str:
    """The value of a variable, option or repository, when it is known to be harmless.

    Else what stands for it: a secret's name, or how long the value is. Never a hash of it.
    """
    if isinstance(value, Secret):
        return str(value)
    text = as_r_says(value)
    if is_untaken(text):
        return without_hash(text)
    return text if harmless(name, text) else placeholder(text)


def as_r_says(value: OptionValue) -> str:
    """As R's as.character() shows it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return f"{value:.15g}" if isinstance(value, float) else str(value)
