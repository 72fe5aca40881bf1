"""Take only the certificates of a certificate file, and nothing else, into a machine."""

import base64
import binascii
import re
from pathlib import Path
from typing import Final

from sandbox.plain_file import NotPlainError, not_a_file, read_plain

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


def why_no_certificate(path: Path) -> str | None:
    """Say why a file cannot be trusted as an authority's certificate; None when it can."""
    if (wrong := not_a_file(path)) is not None:
        return wrong
    try:
        data = read_plain(path, max_bytes=MAX_PEM_BYTES)
    except NotPlainError as error:
        return str(error)
    if b"PRIVATE KEY-----" in data:
        return "it holds a private key, which must not get into a machine"
    if not certificates_in(data):
        return "it is not in PEM format (no `-----BEGIN CERTIFICATE-----`)"
    return None


def _pem(kind: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])
