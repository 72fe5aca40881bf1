"""The `incus` command for the rest of the program: only this module knows its flags and messages.

All our names are made from one prefix, so that we never name another user's project, pool or
network by accident. The client keeps no state and sets nothing global: every call says its remote
and project.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.deadline import Deadline, keep_trying
from sandbox.errors import CommandError, ProviderError, SandboxError, UsageError
from sandbox.providers.incus.answer import metadata_of
from sandbox.providers.incus.explaining import (
    ExistsError,
    NoDaemonError,
    NoLeaderError,
    NotFoundError,
    NotPermittedError,
    NotSetUpError,
    RemoteAwayError,
    explain,
    explain_command,
)
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.remotes import AnsweringRemote
from sandbox.providers.incus.unix_socket import incus_socket
from sandbox.providers.seats import MemberLostError
from sandbox.run import Completed, run

__all__ = [
    "LEADERLESS_S",
    "QUICK_S",
    "ExistsError",
    "IncusClient",
    "NoDaemonError",
    "NoLeaderError",
    "NotFoundError",
    "NotPermittedError",
    "NotSetUpError",
    "RemoteAwayError",
    "api_path",
    "explain",
    "explain_command",
]

LEADERLESS_S = 15.0
"""Seconds for which a cluster without a leader, or without the remote that was asked, is asked
again."""
QUICK_S = 30.0
"""Seconds for calls that only read or change a record; a slower daemon has a problem."""

# Messages are matched below, so they must not come translated
_ENV = {"LC_ALL": "C.UTF-8", "LANGUAGE": "C"}


class IncusClient:
    """Runs `incus` in one place and turns its failures into our errors."""

    def __init__(self, place: IncusPlace) -> None:
        self._place = place
        self._remotes = AnsweringRemote((place.remote, *place.other_remotes), self._urls)
        self._straight = threading.local()

    @property
    def place(self) -> IncusPlace:
        """The place, at the remote that answers when it has several, or that must be asked."""
        if straight := self._asked_straight:
            return replace(self._place, remote=straight)
        if not self._place.other_remotes:
            return self._place
        return replace(self._place, remote=self._remotes.now())

    @property
    def _asked_straight(self) -> str:
        return str(getattr(self._straight, "remote", ""))

    def has_way_to(self, url: str) -> bool:
        """Tell whether the user has a remote for that very server."""
        return bool(url and self._remotes.leading_to(url))

    @contextmanager
    def straight_to(self, url: str) -> Iterator[None]:
        """Ask that very server inside the block, in this thread, when the user has a remote for it.

        One member of a cluster answers for another one. When it was away for a while, what it is
        asked to do there may never come to an end, though it is done.
        """
        before = self._asked_straight
        self._straight.remote = (self._remotes.leading_to(url) if url else "") or before
        try:
            yield
        finally:
            self._straight.remote = before

    @property
    def remote_url(self) -> str:
        """Where the remote is that is asked; empty for this host's own Incus.

        Raises:
            HostError, ProviderError: the user's remotes cannot be listed.
        """
        place = self.place
        return "" if place.is_local else self._remotes.url(place.remote)

    def _urls(self) -> Mapping[str, str]:
        """The addresses of the user's remotes."""
        said = run(("incus", "remote", "list", "--format", "json"), timeout_s=QUICK_S, env=_ENV)
        found = json.loads(said.stdout)
        return {str(name): str(one.get("Addr") or "") for name, one in found.items()}

    def ref(self, name: str) -> str:
        """Return `REMOTE:NAME`, the form that the `incus` subcommands take.

        Raises:
            UsageError: the name could be an option of `incus`, or another remote.
        """
        if not name or name.startswith("-") or re.search(r"[:\s\x00-\x1f]", name):
            raise UsageError(f"{name!r} cannot be the name of something in Incus")
        return f"{self.place.remote}:{name}"

    def argv(self, *args: str | Path, project: str | None = None) -> tuple[str, ...]:
        """Write the whole command line of `incus ARGS` in our project, or another."""
        return ("incus", "--project", project or self.place.project, *(str(arg) for arg in args))

    def run(
        self,
        *args: str | Path,
        timeout_s: float = QUICK_S,
        stdin: str | bytes | Path | None = None,
        check: bool = True,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        output: Path | None = None,
        project: str | None = None,
    ) -> Completed:
        """Run `incus ARGS` in our project, or another; `output` is a file for its stdout.

        Raises:
            HostError: the client is missing, the daemon does not answer or refuses us, our project
                is not set up, no space is left.
            NotFoundError: something named in `args` does not exist.
            ProviderError: it failed otherwise (with `check`), or did not end in time.
        """
        return self._call(
            self.argv(*args, project=project),
            timeout_s=timeout_s,
            stdin=stdin,
            check=check,
            log=log,
            on_line=on_line,
            output=output,
        )

    def query(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        timeout_s: float = QUICK_S,
        patience_s: float = LEADERLESS_S,
        wait: bool = True,
    ) -> Any:  # noqa: ANN401  (whatever JSON the API answers)
        """Ask the API for `path` (as `api_path` makes it) in our project; wait for its operation.

        For `patience_s` it is asked again, while its cluster has no leader or the remote is away.

        Returns:
            The answer's metadata; for a longer operation, the finished operation, or without
            `wait` one that was begun.

        Raises:
            HostError, NotFoundError, ExistsError, ProviderError: as in `run`; also for an answer
                another shape than Incus's.
        """
        answer = keep_trying(
            lambda: self._asked(method, path, data, parameters, timeout_s, wait=wait),
            Deadline(patience_s),
            despite=ProviderError,
            every_s=1.0,
            # Nothing of it was done
            again=lambda error: isinstance(error, NoLeaderError | RemoteAwayError),
        )
        deep = (parameters or {}).get("recursion", "0") != "0"
        metadata = metadata_of(answer, method, path, deep=deep)
        if isinstance(metadata, dict) and metadata.get("class") == "task" and metadata.get("err"):
            raise explain(str(metadata["err"]), what=f"{method} {path}")
        return metadata

    def _asked(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None,
        parameters: Mapping[str, str] | None,
        timeout_s: float,
        *,
        wait: bool = True,
    ) -> dict[str, Any]:
        search = urlencode({**(parameters or {}), "project": self.place.project})
        answer = self._ask_socket(method, f"{path}?{search}", data, timeout_s, wait=wait)
        if answer is None:
            answer = self._ask_command(method, f"{path}?{search}", data, timeout_s, wait=wait)
        if answer.get("type") == "error":
            code = answer.get("error_code")
            code = code if isinstance(code, int) else 0
            raise explain(str(answer.get("error")), what=f"{method} {path}", code=code)
        return answer

    def _ask_socket(
        self,
        method: str,
        target: str,
        data: Mapping[str, Any] | None,
        timeout_s: float,
        *,
        wait: bool,
    ) -> dict[str, Any] | None:
        """The daemon's answer; None when it only answers through the `incus` command."""
        socket = incus_socket() if self.place.is_local else None
        if socket is None:
            return None
        from sandbox.providers.incus.unix_socket import (
            EndlessError,
            LateError,
            NoSocketError,
            ask_socket,
        )

        try:
            return ask_socket(socket, method, target, data, timeout_s=timeout_s, wait=wait)
        except NoSocketError:
            return None
        except EndlessError as error:
            raise ProviderError(
                f"Incus answered without an end to {method} {target.partition('?')[0]}",
                details=str(error),
                hint="is it Incus that listens there? see: incus info",
            ) from error
        except LateError as error:
            raise ProviderError(
                f"Incus did not answer to {method} {target.partition('?')[0]}",
                details=str(error),
                hint="see what Incus is doing: `incus operation list --all-projects`",
            ) from error

    def _ask_command(
        self,
        method: str,
        target: str,
        data: Mapping[str, Any] | None,
        timeout_s: float,
        *,
        wait: bool,
    ) -> dict[str, Any]:
        words = ["incus", "query", "--raw", *(["--wait"] if wait else []), "-X", method]
        if data is not None:
            words += ["--data", json.dumps(data)]
        done = self._call(
            (*words, f"{self.place.remote}:{target}"), timeout_s=timeout_s, check=True
        )
        try:
            answer = json.loads(done.stdout)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ProviderError(
                f"cannot read what Incus answered to {method} {target}",
                details=done.stdout[:2000],
            )
        return answer

    def text(
        self,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        timeout_s: float = QUICK_S,
    ) -> str:
        """Get what the API answers as text, not as JSON; empty when it refuses.

        Raises:
            HostError, ProviderError: Incus could not be asked.
        """
        from sandbox.providers.incus.unix_socket import (
            EndlessError,
            LateError,
            NoSocketError,
            ask_text,
        )

        target = f"{path}?{urlencode({**(parameters or {}), 'project': self.place.project})}"
        socket = incus_socket() if self.place.is_local else None
        try:
            if socket is not None:
                return ask_text(socket, target, timeout_s=timeout_s)
        except NoSocketError:
            pass
        except (LateError, EndlessError) as error:
            raise ProviderError(
                f"Incus did not answer to GET {path}", details=str(error)
            ) from error
        words = ("incus", "query", "--raw", f"{self.place.remote}:{target}")
        done = self._call(words, timeout_s=timeout_s, check=False)
        return done.stdout if done.returncode == 0 else ""

    def exists(self, *path: str) -> bool:
        """Tell whether the API knows the thing at `path`, such as `("networks", "sandboxbr0")`.

        Raises:
            HostError, ProviderError: Incus could not be asked.
        """
        try:
            self._asked("GET", api_path(*path), None, None, QUICK_S)
        except (NotFoundError, NotSetUpError):
            return False
        return True

    def _call(
        self,
        words: Sequence[str],
        *,
        timeout_s: float,
        stdin: str | bytes | Path | None = None,
        check: bool,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        output: Path | None = None,
    ) -> Completed:
        try:
            return run(
                words,
                timeout_s=timeout_s,
                stdin=stdin,
                env=_ENV,
                check=check,
                log=log,
                on_line=on_line,
                output=output,
            )
        except CommandError as error:
            raise self.of_remote(explain_command(error)) from error

    def of_remote(self, found: SandboxError) -> SandboxError:
        """Return the error as it is, or that the remote itself is what does not answer."""
        is_asked_straight = bool(self._asked_straight)
        if self._place.is_local or is_asked_straight or not isinstance(found, MemberLostError):
            return found
        # Incus has the same words for a remote that is dead, and for a member behind it
        if not self._is_own_address(found.details):
            return found
        self._remotes.look_again()
        if self._place.other_remotes:
            return RemoteAwayError(
                f"the Incus server {self._place.remote} does not answer", details=found.details
            )
        return explain(found.details, what=found.message, of_member=False)

    def _is_own_address(self, words: str) -> bool:
        """Whether words about a server that takes no connection are about the remote we asked."""
        # What is behind the remote is named with the path of a machine, or the like
        asked = re.search(r'"(https://[^/"]+)(?:/1\.0)?"?: Unable to connect', words)
        return asked is not None and asked[1] == self._remotes.url(self._remotes.asked)


def api_path(*parts: str) -> str:
    """Join `a`, `b` to `/1.0/a/b`; each part is quoted: a name cannot become a path or a query."""
    return "/".join(("/1.0", *(quote(part, safe="") for part in parts)))
