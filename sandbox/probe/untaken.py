"""Placeholders for values that were not taken from a machine.

`<not taken: 9-16 characters, #1F2E3D4C5B6A7988>`: a range for the length, and a keyed, slow hash by
which two such values can be told apart. The key is made for one capture (or one sandbox), lies in
a file of mode 0600 apart from facts and box, and is never passed on: without the key the hash tells
nothing. Without a hash (`<not taken: 9-16 characters>`) nobody can say whether two are equal.

probe.sh makes the same hashes with openssl on the machine itself: the values never leave it.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

ITERATIONS: Final = 20_000
"""Rounds of PBKDF2: about 10 ms a value. The key, of 128 bits, is the first protection."""
SALT: Final = b"sandbox1"
"""The salt: openssl wants eight bytes; the key stands before the value."""
_TOKEN_DIGITS: Final = 16
_PLACEHOLDER = re.compile(
    r"<not taken: (?P<length>[0-9]+-[0-9]+|[0-9]+\+) characters(?:, #(?P<token>[0-9A-F]{16}))?>"
)
_CLASSES: Final = ((1, 8), (9, 16), (17, 32), (33, 64), (65, 256), (257, 4096))

Verdict = Literal["equal", "differs", "unknown"]


@dataclass(frozen=True)
class HashKey:
    """The key of one capture, or of one sandbox: 32 hex digits, not to be shown or handed on."""

    digits: str

    @property
    def id(self) -> str:
        """The id of the key, which facts may say: it tells which key made their hashes."""
        return hashlib.sha256(f"id of {self.digits}".encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        """Leave out the key itself: the text could end in a log."""
        return f"HashKey({self.id})"


def new_key() -> HashKey:
    """Make a key for one capture or one sandbox."""
    return HashKey(secrets.token_hex(16))


@lru_cache(maxsize=4096)
def token(value: str, key: HashKey) -> str:
    """Hash a value as the probe does: PBKDF2 over the key and the value's SHA-256.

    The value is hashed as one field of a line, with its backslashes, tabs and line ends escaped.
    """
    digest = hashlib.sha256(_field(value).encode("utf-8", "surrogateescape")).hexdigest()
    words = f"{key.digits}{digest}".encode()
    made = hashlib.pbkdf2_hmac("sha256", words, SALT, ITERATIONS, 16)
    return made.hex().upper()[:_TOKEN_DIGITS]


def _field(value: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(plain, escaped)
    return value


def length_class(value: str) -> str:
    """Return the rough length of a value, in bytes, such as `9-16`."""
    size = len(value.encode("utf-8", "surrogateescape"))
    for low, high in _CLASSES:
        if low <= size <= high:
            return f"{low}-{high}"
    return "4097+" if size else "0-0"


def placeholder(value: str, key: HashKey | None = None) -> str:
    """Make the placeholder for `value`; with a hash where there is a key."""
    hashed = f", #{token(value, key)}" if key is not None else ""
    return f"<not taken: {length_class(value)} characters{hashed}>"


def is_untaken(text: str) -> bool:
    """Tell whether `text` is, or holds, a placeholder."""
    return _PLACEHOLDER.search(text) is not None


def is_placeholder(text: str) -> bool:
    """Tell whether all of `text` is one placeholder."""
    return _PLACEHOLDER.fullmatch(text) is not None


def token_of(text: str) -> str | None:
    """Return the hash in a placeholder; None when it has none, or when `text` is something else."""
    found = _PLACEHOLDER.fullmatch(text)
    return found["token"] if found else None


def length_of(text: str) -> str:
    """Return the length range of the first placeholder in `text`; empty when there is none."""
    found = _PLACEHOLDER.search(text)
    return found["length"] if found else ""


def without_hash(text: str) -> str:
    """Return `text` with its placeholders as they are shown: only their lengths."""
    return _PLACEHOLDER.sub(lambda found: f"<not taken: {found['length']} characters>", text)


def compare(a: str, b: str, *, same_key: bool = True) -> Verdict:
    """Compare two texts, when one or both may hold placeholders.

    Args:
        a: a text.
        b: another.
        same_key: whether their hashes were made with the same key; if not, hashes say nothing.
    """
    if is_untaken(a) != is_untaken(b):
        # Taken on one side only: a whole value has at least a length
        whole, plain = (a, b) if is_untaken(a) else (b, a)
        found = _PLACEHOLDER.fullmatch(whole)
        return "unknown" if found and found["length"] == length_class(plain) else "differs"
    if without_hash(a) != without_hash(b):
        return "differs"
    hashes = list(zip(_hashes(a), _hashes(b), strict=True))
    if same_key and any(None not in pair and pair[0] != pair[1] for pair in hashes):
        return "differs"
    return "unknown" if not same_key or any(None in pair for pair in hashes) else "equal"


def _hashes(text: str) -> list[str | None]:
    return [found["token"] for found in _PLACEHOLDER.finditer(text)]


def holds(text: str, planned: str, key: HashKey) -> Verdict:
    """Judge whether a value that was read (or a placeholder made with `key`) is the planned one."""
    if not is_untaken(text):
        return "equal" if text == planned else "differs"
    found = token_of(text)
    if found is None:
        return "unknown"
    return "equal" if found == token(planned, key) else "differs"
