"""Take only the certificates of a certificate file, and nothing else, into a machine."""

import base64
import binascii
import re
from typing import Final

MAX_PEM_BYTES: Final = 1024 * 1024
"""The most bytes: all certificate authorities of a Debian are 220 kB."""

_BLOCK = re.compile(
    r"^-----BEGIN (TRUSTED CERTIFICATE|CERTIFICATE)-----[ \t]*\r?$"
    r"([A-Za-z0-9+/=\s]+?)"
    r"^-----END \1-----[ \t]*\r?$",
    re.MULTILINE,
)


def certificates_in(data: bytes) -> tuple[str, ...]:
    """Write each certificate of a file as PEM again: keys and all other text are dropped."""
    found = []
    for block in _BLOCK.finditer(data.decode("ascii", "replace")):
        try:
            der = base64.b64decode("".join(block[2].split()), validate=True)
        except binascii.Error:
            continue
        found.append(_pem(block[1], der))
    return tuple(found)


def _pem(kind: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])
