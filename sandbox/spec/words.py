"""Names from outside this program: time zones, locales, system accounts, ssh keys."""

import base64
import binascii
import re
import zoneinfo
from pathlib import Path
from typing import Final

from sandbox.spec.problem import near

_LOCALE = re.compile(r"(C|POSIX|C\.UTF-8|[a-z]{2,3}_[A-Z]{2}\.[A-Z0-9-]+(@[a-z]+)?)\Z")
_SUPPORTED_LOCALES: Final = Path("/usr/share/i18n/SUPPORTED")
"""Debian's list of locales, where this host has it."""

_KEY_TYPES: Final = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_SYSTEM_ACCOUNTS: Final = frozenset(
    {"root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy"}
    | {"www-data", "backup", "list", "irc", "gnats", "nobody", "_apt", "messagebus", "sshd"}
    | {"tcpdump", "dnsmasq", "polkitd", "uuidd", "shiny", "shiny-server", "rstudio-server"}
    | {"sandbox", "vagrant"}
)
"""Accounts of Debian, of the services we install, and of `sandbox` itself."""


def unknown_timezone(name: str) -> str | None:
    """Suggest another time zone (perhaps an empty text) when there is no such one, else None."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zones = zoneinfo.available_timezones()
        if not zones:  # this host has no zone data: the machine itself will tell
            return None
        cities = {zone.rsplit("/", 1)[-1]: zone for zone in sorted(zones, reverse=True)}
        city = cities.get(name.rsplit("/", 1)[-1].title().replace(" ", "_"))
        return f"Perhaps you meant `{city}`?" if city else near(name, zones)
    return None


def wrong_locale(name: str) -> str | None:
    """Suggest another locale when this is none, else None."""
    supported = _supported_locales()
    if _LOCALE.match(name):
        if name in {"C", "POSIX", "C.UTF-8"} or not supported or name in supported:
            return None
        return near(name, supported) or "`locale -a` lists those of a machine"
    language = name.partition(".")[0].replace("-", "_")
    guess = f"{language}.UTF-8"
    if _LOCALE.match(guess) and (not supported or guess in supported):
        return f"Perhaps you meant `{guess}`?"
    return "Write language_COUNTRY.CHARSET, such as en_US.UTF-8, or C.UTF-8"


def _supported_locales() -> frozenset[str]:
    try:
        text = _SUPPORTED_LOCALES.read_text("utf-8", errors="replace")
    except OSError:  # not on every host; then the shape alone is checked
        return frozenset()
    return frozenset(line.split()[0] for line in text.splitlines() if " " in line)


def is_system_account(name: str) -> bool:
    """Tell whether a person must not have that account name."""
    return name in _SYSTEM_ACCOUNTS or name.startswith("systemd-")


def not_a_public_key(line: str) -> str | None:
    """Say why this is not a line of an authorized_keys file; None when it is. Never quotes it."""
    parts = line.split()
    if len(parts) == 1 and line.endswith(".pub"):
        return "it looks like a file's name; paste the line that is in the file"
    if not parts or parts[0] not in _KEY_TYPES:
        return "it must begin with ssh-ed25519, ssh-rsa or another key type that sshd accepts"
    if len(parts) == 1:
        return f"nothing follows {parts[0]}"
    return _wrong_key_blob(*parts[:2])


def _wrong_key_blob(kind: str, encoded: str) -> str | None:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return "its middle part is not base64; perhaps it was cut when it was copied"
    fields = _fields(blob)
    if fields is None or len(fields) < 2 or fields[0] != kind.encode():  # noqa: PLR2004
        return f"its middle part is not a whole key of type {kind}; perhaps it was cut"
    return None


def _fields(blob: bytes) -> list[bytes] | None:
    """The parts of a key, each after its length in four bytes (RFC 4253, section 6.6)."""
    fields = []
    while blob:
        end = 4 + int.from_bytes(blob[:4], "big")
        if len(blob) < end:
            return None
        fields.append(blob[4:end])
        blob = blob[end:]
    return fields
