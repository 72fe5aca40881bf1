"""The keys and certificates that ssh would try, in ssh's order."""

import base64
import binascii
import copy
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko
from paramiko.auth_strategy import AuthSource, AuthStrategy, InMemoryPrivateKey
from paramiko.pkey import PublicBlob

from sandbox.capture.ssh_settings import SshSettings

_KINDS: tuple[type[paramiko.PKey], ...] = (
    paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey,
)  # fmt: skip


class Keys(AuthStrategy):
    """Certificates first, then keys: those of the agent, and of files that can be opened."""

    def __init__(self, settings: SshSettings) -> None:
        super().__init__(ssh_config=paramiko.SSHConfig())
        self._settings = settings
        self.locked: list[Path] = []
        """Files with a passphrase, when no agent has the key."""
        self.unread: list[str] = []
        """Files that are not a key that we can use, each with the reason."""

    def get_sources(self) -> Iterator[AuthSource]:
        """Yield each login key alone, and with each certificate that belongs to it."""
        keys = tuple(self._keys())
        for certificate in self._certificates():
            for key in keys:
                if _is_for(certificate, key):
                    yield self._source(_certified(key, certificate))
        for key in keys:
            yield self._source(key)

    def _source(self, key: paramiko.PKey) -> AuthSource:
        return InMemoryPrivateKey(self._settings.user, key)

    def _keys(self) -> Iterator[paramiko.PKey]:
        in_agent = {key.asbytes(): key for key in _agent_keys(self._settings)}
        for path in self._settings.identity_files:
            public = _public_blob(path)
            if public in in_agent:
                yield in_agent.pop(public)
            elif path.is_file() and (key := self._of_file(path)) is not None:
                in_agent.pop(key.asbytes(), None)
                yield key
        for key in in_agent.values():
            # A certificate in the agent belongs to one of the named keys, or to none
            if not self._settings.identities_only:
                yield key

    def _of_file(self, path: Path) -> paramiko.PKey | None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            self.unread.append(f"{path}: {error.strerror}")
            return None
        for kind in _KINDS:
            try:
                return kind.from_private_key(io.StringIO(text))
            except paramiko.PasswordRequiredException:
                self.locked.append(path)
                return None
            except (paramiko.SSHException, ValueError, TypeError, IndexError):
                continue
        # With `IdentityFile KEY.pub`, the key itself is in the agent, or nowhere
        is_public = _public_blob(path) and not text.startswith("-----BEGIN")
        self.unread.append(
            f"{path}: no agent has its key" if is_public else f"{path}: no key that sandbox can use"
        )
        return None

    def _certificates(self) -> Iterator[PublicBlob]:
        beside = [path.with_name(f"{path.name}-cert.pub") for path in self._settings.identity_files]
        for path in (*self._settings.certificate_files, *beside):
            with suppress(OSError, ValueError, IndexError, paramiko.SSHException):
                found = PublicBlob.from_string(path.read_text(encoding="utf-8"))
                if "-cert-" in found.key_type:
                    yield found


def _is_for(certificate: PublicBlob, key: paramiko.PKey) -> bool:
    """Whether a certificate holds the public half of this key: after its type and a nonce."""
    inner = paramiko.Message(certificate.key_blob)
    inner.get_string()
    inner.get_string()
    own = paramiko.Message(key.asbytes())
    own.get_string()
    return inner.get_remainder().startswith(own.get_remainder())


def _certified(key: paramiko.PKey, certificate: PublicBlob) -> paramiko.PKey:
    """The same key, to be shown with this certificate."""
    twin: paramiko.PKey
    if isinstance(key, paramiko.AgentKey):
        twin = paramiko.AgentKey(key.agent, key.blob, key.comment)
    else:
        twin = copy.copy(key)
    twin.public_blob = certificate
    return twin


def _agent_keys(settings: SshSettings) -> tuple[paramiko.PKey, ...]:
    if settings.agent == "none":
        return ()
    with _agent_socket(settings.agent), suppress(paramiko.SSHException, OSError):
        return tuple(paramiko.Agent().get_keys())
    return ()


@contextmanager
def _agent_socket(path: str | None) -> Iterator[None]:
    """The agent for paramiko: only the one that the user's settings name."""
    before = os.environ.get("SSH_AUTH_SOCK")
    if path is not None:
        os.environ["SSH_AUTH_SOCK"] = path
    try:
        yield
    finally:
        if path is not None:
            os.environ.pop("SSH_AUTH_SOCK")
            if before is not None:
                os.environ["SSH_AUTH_SOCK"] = before


def _public_blob(path: Path) -> bytes:
    """The public half next to a private key, or the named file itself; empty when there is none."""
    for public in (path.with_name(f"{path.name}.pub"), path):
        with suppress(OSError, IndexError, binascii.Error, UnicodeDecodeError):
            return base64.b64decode(public.read_text(encoding="utf-8").split()[1], validate=True)
    return b""
