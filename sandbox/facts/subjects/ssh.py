"""How ssh lets people in: the settings of sshd, and the keys that may log in."""

import base64
import binascii
import hashlib
from collections.abc import Iterator

from sandbox.facts.kind import CannotReadError, Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, FactsPart, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.frame import Section
from sandbox.probe.readers import PORTS, MalformedError, name, whole, word

_ROOT_LOGIN = ("yes", "no", "prohibit-password", "without-password", "forced-commands-only")

# `ssh-keygen -l` of the two public keys that Vagrant ships (keys/vagrant.pub)
_VAGRANT_FINGERPRINTS = frozenset(
    {
        "SHA256:1M4RzhMyWuFS/86uPY/ce2prh/dVTHW7iD2RhpquOZA",
        "SHA256:WkvqjnyPAeC0cbPErYiGP9vqHdgL1MqqvPdIe3lvHgI",
    }
)


class AuthorizedKey(FactsModel):
    """A key that may log in."""

    user: str
    type: str
    fingerprint: str
    """`SHA256:…`"""
    comment: str
    vagrant_insecure: bool
    """The key whose private half everyone has."""


class SshDaemon(FactsPart):
    """The effective settings of sshd."""

    password_authentication: bool
    permit_root_login: str
    """yes, no, prohibit-password (older sshd: without-password), forced-commands-only"""
    permit_empty_passwords: bool
    kbd_interactive_authentication: bool
    ports: tuple[int, ...]


class AuthorizedKeys(ListPart[AuthorizedKey]):
    """Every key that may log in."""


def check_public_key(text: str) -> None:
    """Type and key; nothing for the file of a key that nobody uses."""
    if text.strip() and len(text.split(None, 2)) < 2:  # noqa: PLR2004  (type and key)
        raise MalformedError("a public key")


def _check_authorized_key(line: str) -> None:
    """A user, and a key that may log in as that."""
    user, _, key = line.partition("\t")
    name(user, "a key's user")
    if not key.strip():
        raise MalformedError("a user and a key")
    check_public_key(key)


def _check_sshd(section: Section) -> None:
    """The settings that `sshd -T` always says."""
    values: dict[str, str] = {}
    for line in section.lines:
        key, _, value = line.lower().partition(" ")
        values[key] = value
        if key == "port":
            whole(value, "sshd's port", within=PORTS)
    for key in ("passwordauthentication", "permitemptypasswords"):
        word(values.get(key, ""), f"sshd's {key}", of=("yes", "no"))
    word(values.get("permitrootlogin", ""), "sshd's permitrootlogin", of=_ROOT_LOGIN)
    if "port" not in values:
        raise MalformedError("sshd's port")
    keyboard = values.get(
        "kbdinteractiveauthentication", values.get("challengeresponseauthentication", "")
    )
    word(keyboard, "sshd's kbdinteractiveauthentication", of=("yes", "no"))


def public_key(line: str) -> tuple[str, str, str]:
    """Parse a public key line: type, SHA256 fingerprint as OpenSSH writes it, and comment."""
    kind, blob, *comment = line.split(None, 2)
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        # Not base64, or not even ASCII
        return kind, "unreadable", " ".join(comment)
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return kind, f"SHA256:{digest}", " ".join(comment)


def _parse_keys(answer: ProbeAnswer) -> AuthorizedKeys | None:
    section = answer.first("authorized-keys")
    return AuthorizedKeys(tuple(_keys(section.pairs()))) if section is not None else None


def _keys(pairs: Iterator[tuple[str, str]]) -> Iterator[AuthorizedKey]:
    for user, line in pairs:
        kind, fingerprint, comment = public_key(line)
        yield AuthorizedKey(
            user=user,
            type=kind,
            fingerprint=fingerprint,
            comment=comment,
            vagrant_insecure=fingerprint in _VAGRANT_FINGERPRINTS,
        )


def _parse_sshd(answer: ProbeAnswer) -> SshDaemon | None:
    section = answer.first("sshd")
    if section is None:
        return None
    pairs = [line.lower().partition(" ")[::2] for line in section.lines]
    values = dict(pairs)
    keyboard = values.get("kbdinteractiveauthentication") or values.get(
        "challengeresponseauthentication"
    )
    return SshDaemon(
        password_authentication=values.get("passwordauthentication") == "yes",
        permit_root_login=values.get("permitrootlogin", ""),
        permit_empty_passwords=values.get("permitemptypasswords") == "yes",
        kbd_interactive_authentication=keyboard == "yes",
        ports=tuple(int(value) for name, value in pairs if name == "port" and value.isdecimal()),
    )


def ssh_daemon(facts: Facts) -> Reading:
    """Return sshd's settings of how people get in."""
    sshd = facts.get(SshDaemon)
    if sshd is None:
        raise CannotReadError(facts.why("sshd settings") or "there is no sshd")
    return {
        "passwords": "yes" if sshd.password_authentication else "no",
        "root": sshd.permit_root_login.replace("without-password", "prohibit-password"),
        "empty passwords": "yes" if sshd.permit_empty_passwords else "no",
    }


AUTHORIZED_KEYS = Subject(
    name="authorized_keys",
    rank=110,
    part=AuthorizedKeys,
    sections={"authorized-keys": Shape(rows(_check_authorized_key))},
    parse=_parse_keys,
)
SSHD = Subject(
    name="sshd",
    rank=120,
    part=SshDaemon,
    sections={"sshd": Shape(_check_sshd)},
    parse=_parse_sshd,
    kinds=(
        kind_of_machine(
            "access.ssh",
            Consequence.ACCESS,
            20,
            title="how ssh lets people in",
            how="exact",
            why="where passwords are allowed, they are guessed",
            bug="rocker-org/rocker-versioned2/issues/974",
            read=ssh_daemon,
        ),
    ),
)
