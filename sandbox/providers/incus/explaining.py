"""What Incus's own words mean: an error of ours for each failure that we know.

The words are matched in English, as the `incus` command says them with LC_ALL=C.
"""

import re
from dataclasses import dataclass

from sandbox.errors import CommandError, HostError, ProviderError, SandboxError
from sandbox.providers.engine import NotHereError
from sandbox.providers.seats import MemberLostError

_NOT_FOUND = 404


class NotFoundError(ProviderError):
    """Incus has no such thing."""


class NotSetUpError(NotHereError):
    """Our project, pool or network is not there (yet)."""


class NoDaemonError(NotHereError):
    """There is no Incus here, or it does not run: so none of our machines runs in it."""


class NoLeaderError(ProviderError):
    """The cluster is choosing a new leader of its database: a few seconds later it answers."""


class RemoteAwayError(ProviderError):
    """The remote that was asked does not answer; another one of its cluster may."""


class LateCommandError(ProviderError):
    """Incus did not answer in time; whether it did what it was asked, nobody knows."""


class NotPermittedError(HostError):
    """The daemon is there, and this user may not talk to it."""


class ExistsError(ProviderError):
    """Incus has a thing of that name already."""


def explain_command(error: CommandError) -> SandboxError:
    """Explain a failed `incus` command, with Incus's own words kept."""
    if error.returncode == 127 and not error.stderr:  # noqa: PLR2004  (the shell's "not found")
        return NoDaemonError(
            "Incus's client `incus` is not installed", hint="sandbox host setup --provider incus"
        )
    if error.returncode is None:
        return LateCommandError(
            error.message,
            details=error.details,
            hint="see what Incus is doing: `incus operation list --all-projects`",
        )
    words = error.stderr.strip() or error.stdout.strip() or error.details
    said = [line for line in words.splitlines() if line.startswith("Error: ")]
    own = "\n".join(said).removeprefix("Error: ") if said else words
    return explain(own, what=error.message)


@dataclass(frozen=True)
class _Meaning:
    pattern: str
    family: type[SandboxError]
    message: str
    hint: str


_OF_MEMBER = _Meaning(
    r"Missing event connection with target|Unable to connect to: |peer node \S+ is down"
    r"|failed to notify peer|Server isn't ready yet|Daemon is starting up",
    MemberLostError,
    "a member of the cluster does not answer",
    "incus cluster list",
)
_MEANINGS = (
    _Meaning(
        r"no available \w+ leader|no known leader|not leader|failed to begin transaction"
        r"|database is locked|cowsql: leadership",
        NoLeaderError,
        "the cluster has no leader at this moment",
        "incus cluster list",
    ),
    _Meaning(
        r"doesn't appear to be started|connection refused|no such file.*unix\.socket"
        r"|server version: unreachable",
        NoDaemonError,
        "Incus is not running",
        "sandbox host setup --provider incus",
    ),
    _Meaning(
        r"needed permissions to talk to the incus daemon|permission denied.*unix\.socket",
        NotPermittedError,
        "you may not talk to the Incus daemon",
        "sudo adduser $USER incus-admin, then log in again (its members are as good as root on "
        "this host; the group incus gives a restricted project of one's own, and does not do here)",
    ),
    _Meaning(
        r"The remote \".*\" doesn't exist",
        HostError,
        "Incus knows no such remote",
        "incus remote list; incus remote add NAME URL",
    ),
    _Meaning(
        r"no space left|disk quota exceeded|not enough space",
        HostError,
        "no space left",
        "see `incus storage info` and `df -h`; `sandbox destroy` what is not needed",
    ),
    _Meaning(
        r"not authorized|Forbidden|\bcertificate\b(?!s)",
        HostError,
        "the Incus server does not let us in",
        "make a token there with `incus config trust add`, and here `incus remote add NAME TOKEN`",
    ),
    _Meaning(
        r"No route to host|network is unreachable|no such host|i/o timeout|temporary failure in",
        HostError,
        "the Incus server cannot be reached",
        "incus remote list; is its address right, and is this machine online?",
    ),
    _Meaning(
        r"^(?!.*Project not found).*UNIQUE constraint failed|already exists|already in use",
        ExistsError,
        "Incus has that already",
        "",
    ),
    _Meaning(
        r"Project not found|Storage pool not found|Network not found|No root device could be found",
        NotSetUpError,
        "our place in Incus is not set up",
        "sandbox host setup --provider incus",
    ),
    _Meaning(
        r"Image not provided|Image not found|image doesn't exist|No image with alias",
        NotFoundError,
        "the base image is not in Incus any more",
        "sandbox up makes it again",
    ),
    _Meaning(r"not found|doesn't exist|not exist", NotFoundError, "Incus has no such thing", ""),
)


def explain(own: str, *, what: str, code: int = 0, of_member: bool = True) -> SandboxError:
    """Return the error for Incus's own words.

    Args:
        own: the words.
        what: what was being done.
        code: the status of the answer.
        of_member: a server that takes no connection is a member behind the one that was asked.
    """
    for meaning in (_OF_MEMBER, *_MEANINGS) if of_member else _MEANINGS:
        if re.search(meaning.pattern, own, re.IGNORECASE):
            return meaning.family(
                f"{meaning.message} ({what})" if not meaning.hint else meaning.message,
                details=own,
                hint=meaning.hint,
            )
    if code == _NOT_FOUND:
        return NotFoundError(f"Incus has no such thing ({what})", details=own)
    return ProviderError(f"Incus failed: {what}", details=own)
