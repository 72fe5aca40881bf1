"""Snapshots of Incus machines: only of the disk, so a machine that ran starts again."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from sandbox.errors import ProviderError
from sandbox.events import Listener, StepOutput
from sandbox.providers.abilities import Snapshot
from sandbox.providers.incus.client import ExistsError, IncusClient, NotFoundError, api_path
from sandbox.providers.moments import moment_of
from sandbox.providers.refusals import has_already

_COPY_S = 1800.0


class IncusSnapshots(ABC):
    """The part of the engine that saves and restores; see `abilities.Snapshots`."""

    client: IncusClient

    @abstractmethod
    def _ours(self, name: str) -> dict[str, Any]:
        """The instance; an error when it is absent or not ours."""

    @abstractmethod
    def _settle(self, name: str) -> None:
        """Wait until Incus has finished its work on it."""

    @abstractmethod
    def start(self, name: str, listener: Listener) -> None:
        """Start it; see `Engine.start`."""

    def save_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Keep its disk as it is now.

        Raises:
            ProviderError: no such machine, or it has a snapshot of that name.
        """
        self._ours(name)
        self._settle(name)
        listener(StepOutput(name, f"saving {snapshot}"))
        body = {"name": snapshot, "stateful": False}
        try:
            self.client.query(
                "POST", api_path("instances", name, "snapshots"), body, timeout_s=_COPY_S
            )
        except ExistsError as error:
            # Incus's own words are about its database
            raise has_already(name, snapshot) from error

    def restore_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Take its disk back to `snapshot`; running again at the end if it ran before.

        Raises:
            ProviderError: no such machine or snapshot.
        """
        self._require_snapshot(name, snapshot)
        self._settle(name)
        listener(StepOutput(name, f"going back to {snapshot}"))
        # Incus stops it, restores, and starts it again if it ran
        body = {"restore": snapshot, "stateful": False}
        ran = self._ours(name)["status"] == "Running"
        self.client.query("PUT", api_path("instances", name), body, timeout_s=_COPY_S)
        if ran:
            self.start(name, listener)

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """List the machine's snapshots, the oldest first.

        Raises:
            ProviderError: no such machine.
        """
        self._ours(name)
        found = self.client.query(
            "GET", api_path("instances", name, "snapshots"), parameters={"recursion": "1"}
        )
        # Older servers name them MACHINE/SNAPSHOT
        all_of_it = [
            Snapshot(str(one["name"]).rpartition("/")[2], _time(str(one["created_at"])))
            for one in found or ()
        ]
        return tuple(sorted(all_of_it, key=lambda one: one.created_at))

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        """Forget `snapshot`.

        Raises:
            ProviderError: no such machine or snapshot.
        """
        self._require_snapshot(name, snapshot)
        try:
            path = api_path("instances", name, "snapshots", snapshot)
            self.client.query("DELETE", path, timeout_s=_COPY_S)
        except NotFoundError:
            # Another command was quicker by a moment
            return

    def _require_snapshot(self, name: str, snapshot: str) -> None:
        names = [one.name for one in self.snapshots(name)]
        if snapshot not in names:
            raise ProviderError(
                f"{name} has no snapshot {snapshot}",
                details=f"there is {', '.join(names)}" if names else "it has none",
                hint=f"sandbox snapshot list {name}",
            )


def _time(text: str) -> datetime:
    """Read Incus's time: Incus writes nanoseconds, and Python reads microseconds."""
    whole, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :] if dot else ""
    found = moment_of(f"{whole}.{digits[:6].ljust(6, '0')}{zone}" if dot else text)
    if found is None:
        raise ProviderError("Incus says of a snapshot no time that it was made at", details=text)
    return found
