"""Switch Incus machines on and off, resume them after a pause, and wait for work in progress."""

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from sandbox.deadline import Deadline, keep_trying, wait_while
from sandbox.errors import ProviderError
from sandbox.providers.incus import ready_script as inside
from sandbox.providers.incus.client import IncusClient, NotFoundError, api_path
from sandbox.providers.incus.instance_request import ISOLATION, network_card
from sandbox.providers.incus.place import IncusPlace

_SETTLE_S = 600.0
_STOPPING = "Stopping instance"
"""Incus's own name for a stop."""
_DEAF_S = 20.0
"""Seconds for which a stop that somebody asked for is waited for; then it is asked for again."""
_DELETE_S = 1800.0
_POLL_S = 0.1
_TRIES = 5


class IncusPower(ABC):
    """The part of the engine that changes the state of a machine."""

    client: IncusClient
    place: IncusPlace

    @abstractmethod
    def _ours(self, name: str) -> dict[str, Any]:
        """The instance; an error when it is absent or not ours."""

    def is_isolated(self, name: str) -> bool | None:
        """Tell whether the machine is isolated; see `abilities.Isolation`."""
        word = self._ours(name)["devices"].get("eth0", {}).get(ISOLATION)
        return None if word is None else word == "true"

    def isolate(self, name: str, *, isolated: bool) -> None:
        """Set isolation; see `abilities.Isolation`. A running machine would lose its address."""
        self._ours(name)
        change = {"devices": {"eth0": network_card(self.place, isolated=isolated)}}
        self.client.query("PATCH", api_path("instances", name), change)

    def _isolate_old(self, name: str, instance: dict[str, Any]) -> None:
        """Whether it is isolated; a machine of an older version has no such option."""
        if ISOLATION not in instance["devices"].get("eth0", {}):
            self.isolate(name, isolated=True)

    def _power_on(self, name: str) -> None:
        try:
            self._set_state(name, "start", timeout_s=inside.WAIT_S)
        except ProviderError as error:
            # Two commands may start it at once: it only matters that it runs
            if "already running" not in error.details:
                raise

    def _set_state(self, name: str, action: str, *, timeout_s: float, force: bool = False) -> None:
        body = {"action": action, "timeout": max(1, int(timeout_s)), "force": force}
        path = api_path("instances", name, "state")
        self.client.query("PUT", path, body, timeout_s=timeout_s + 30)

    def _stop_by_force(self, name: str) -> None:
        try:
            self._set_state(name, "stop", timeout_s=30, force=True)
        except ProviderError as error:
            if "already stopped" not in error.details:
                raise

    def _delete(self, name: str) -> None:
        """Delete the instance, whatever its state; it may be gone already."""
        with suppress(NotFoundError):
            keep_trying(
                lambda: self._delete_at_rest(name),
                despite=ProviderError,
                every_s=_POLL_S,
                tries=_TRIES,
                # What a killed command has asked for may begin only now
                again=lambda error: "is running" in error.details,
            )

    def _delete_at_rest(self, name: str) -> None:
        self._settle(name)
        path = api_path("instances", name)
        if self.client.query("GET", path)["status"] != "Stopped":
            # A broken machine may refuse to stop, but still allow its removal
            with suppress(ProviderError):
                self._stop_by_force(name)
        self.client.query("DELETE", path, timeout_s=_DELETE_S)

    def is_busy(self, name: str) -> bool:
        """Tell whether Incus is changing the machine; see `abilities.Settling`."""
        return bool(self._operation(name))

    def settle(self, name: str) -> None:
        """Wait for Incus; see `abilities.Settling`."""
        self._settle(name)

    def _settle(self, name: str) -> None:
        """Wait until Incus has finished its work on it, such as the create of a killed process.

        A stop that comes while the machine's systemd only begins is never heard, and Incus would
        wait for its end for ever: it is asked for again.

        Raises:
            ProviderError: Incus is still not finished after ten minutes.
        """
        deadline = Deadline(_SETTLE_S)
        while busy := wait_while(
            lambda: self._operation(name),
            Deadline(min(_DEAF_S, deadline.left_s)),
            every_s=_POLL_S,
        ):
            if deadline.is_over:
                raise ProviderError(
                    f"Incus is still busy with {name}: {busy}",
                    hint=f"incus operation list --project {self.place.project}",
                )
            if busy == _STOPPING:
                # It may have ended just now, or not hear this one: the next look shows it
                with suppress(ProviderError):
                    self._set_state(name, "stop", timeout_s=_DEAF_S)

    def _settled(self, name: str) -> dict[str, Any]:
        """Our instance after all work on it: a killed command's may still change its state."""
        self._ours(name)
        self._settle(name)
        return self._ours(name)

    def _operation(self, name: str) -> str:
        """Incus's current work on the machine; empty when there is none."""
        path = api_path("instances", name)
        answer = self.client.query("GET", api_path("operations"), parameters={"recursion": "1"})
        for operation in answer.get("running") or ():
            touched = (operation.get("resources") or {}).get("instances") or ()
            # An open `incus exec` (somebody's ssh, perhaps) is also listed, but never in the way
            if operation["class"] == "task" and any(
                str(resource).split("?")[0] == path for resource in touched
            ):
                return str(operation["description"])
        return ""
