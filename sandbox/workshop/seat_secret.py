"""The secret of a seat: easy to type from paper, and not to be guessed."""

import secrets
from typing import Final

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without i, l, o, 0 and 1, which look alike on paper."""
_GROUPS, _IN_GROUP = 3, 4
BITS: Final = 59
"""31 letters, twelve times: log2(31) * 12, rounded down."""


def new_secret() -> str:
    """Make a secret of twelve letters and digits in three groups: `k3mv-9xqa-tr7e`."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_IN_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)
