"""The addresses of a package that a lock file has from somewhere else than a repository."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?")
_GIT_URL: Final = re.compile(
    r"(?:https?://|git@|ssh://git@)(?P<host>[^/:@]+)[/:](?P<owner>.+)/(?P<name>[^/]+?)(?:\.git)?/?"
)
_KNOWN_HOSTS: Final = {"github.com": "GitHub", "gitlab.com": "GitLab", "bitbucket.org": "Bitbucket"}


class NoAddressError(Exception):
    """The record does not say enough, or what cannot be fetched; the message says which."""


def remote_urls(source: str, fields: Mapping[str, str]) -> tuple[str, ...]:
    """List the addresses of a record's exact bytes.

    Raises:
        NoAddressError: there is none: the message says what the record lacks.
    """
    if source == "url":
        url = fields.get("RemoteUrl", "")
        if not re.fullmatch(r"""https?://[^\s'"\\]+""", url):
            raise NoAddressError("its record has no RemoteUrl that can be fetched")
        return (url,)
    if source == "git":
        found = _GIT_URL.fullmatch(fields.get("RemoteUrl", ""))
        kind = _KNOWN_HOSTS.get(found["host"].lower()) if found else None
        if found is None or kind is None:
            words = "it comes from a git server, and only those of GitHub, GitLab and Bitbucket"
            raise NoAddressError(f"{words} give an archive of one commit")
        said = {"RemoteUsername": found["owner"], "RemoteRepo": found["name"]}
        return _archive(kind, {**fields, **said, "RemoteHost": ""})
    return _archive(source, fields)


def _archive(kind: str, fields: Mapping[str, str]) -> tuple[str, ...]:
    owner, name = fields.get("RemoteUsername", ""), fields.get("RemoteRepo", "")
    sha, host = fields.get("RemoteSha", "").lower(), fields.get("RemoteHost", "")
    for key, value in (("RemoteUsername", owner), ("RemoteRepo", name)):
        if not all(_WORD.fullmatch(part) for part in value.split("/")):
            raise NoAddressError(f"its record has no {key}")
    if not _SHA.fullmatch(sha):
        raise NoAddressError("its record has no RemoteSha, and a branch or tag can move")
    host = host.removeprefix("https://").removesuffix("/").removesuffix("/api/v3")
    if host and not _HOST.fullmatch(host.removesuffix("/api/v4")):
        raise NoAddressError("its RemoteHost is not the name of a host")
    if kind == "GitHub":
        if host in {"", "api.github.com", "github.com"}:
            return (f"https://codeload.github.com/{quote(owner)}/{quote(name)}/tar.gz/{sha}",)
        return (f"https://{host}/api/v3/repos/{quote(owner)}/{quote(name)}/tarball/{sha}",)
    if kind == "GitLab":
        project = quote(f"{owner}/{name}", safe="")
        host = host.removesuffix("/api/v4") or "gitlab.com"
        address = f"https://{host}/api/v4/projects/{project}/repository/archive.tar.gz"
        return (f"{address}?sha={sha}",)
    return (f"https://bitbucket.org/{quote(owner)}/{quote(name)}/get/{sha}.tar.gz",)
