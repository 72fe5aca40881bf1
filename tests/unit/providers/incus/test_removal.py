"""Removing and stopping a machine that a killed command's work is still changing."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.errors import ProviderError
from sandbox.providers.incus import power
from sandbox.providers.incus.client import IncusClient, NotFoundError
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.instances import BAKED, MADE_BY, OURS
from sandbox.providers.incus.place import IncusPlace

PLACE = IncusPlace.from_prefix("sandbox")


class OneInstance(IncusClient):
    """An Incus with one instance; work that was asked for ends while somebody waits for it."""

    def __init__(self, status: str, *, pending: int = 0, late_starts: int = 0) -> None:
        super().__init__(PLACE)
        self.status: str | None = status
        self.made_by = OURS
        self.pending = pending
        """So often is a start still seen as running."""
        self.late_starts = late_starts
        """So many starts begin only at the moment of a removal."""

    def query(self, method: str, path: str, *args: Any, **more: Any) -> Any:
        del more
        if path == "/1.0/operations":
            return self._operations()
        if self.status is None:
            raise NotFoundError("Incus has no such thing")
        if method == "DELETE":
            return self._delete()
        if method == "PUT":
            self.status = {"stop": "Stopped", "start": "Running"}[args[0]["action"]]
            return None
        return {"name": "shiny", "status": self.status, "config": {MADE_BY: self.made_by}}

    def _operations(self) -> dict[str, Any]:
        if self.pending == 0:
            return {"running": None}
        self.pending -= 1
        if self.pending == 0:
            self.status = "Running"
        work = {
            "class": "task",
            "description": "Restoring snapshot",
            "resources": {"instances": ["/1.0/instances/shiny?project=sandbox"]},
        }
        return {"running": [work]}

    def _delete(self) -> None:
        if self.late_starts:
            self.late_starts -= 1
            self.status = "Running"
        if self.status != "Stopped":
            raise ProviderError(
                "Incus failed: DELETE /1.0/instances/shiny", details="Instance is running"
            )
        self.status = None


def engine_of(client: IncusClient) -> IncusEngine:
    engine = IncusEngine(PLACE)
    engine.client = client
    return engine


@pytest.mark.parametrize("pending", [0, 2])
@pytest.mark.parametrize("late_starts", [0, 1])
@pytest.mark.parametrize("status", ["Stopped", "Running", "Frozen"])
def test_it_is_removed_whatever_a_killed_command_asked_for(
    status: str, pending: int, late_starts: int
) -> None:
    incus = OneInstance(status, pending=pending, late_starts=late_starts)
    engine_of(incus).destroy("shiny")
    assert incus.status is None


@pytest.mark.parametrize("late_starts", [0, 1])
def test_a_baked_image_as_well(late_starts: int) -> None:
    incus = OneInstance("Stopped", pending=2, late_starts=late_starts)
    incus.made_by = BAKED
    engine_of(incus).delete_baked("shiny")
    assert incus.status is None


def test_one_that_is_started_again_and_again_is_named() -> None:
    incus = OneInstance("Stopped", late_starts=1000)
    with pytest.raises(ProviderError) as caught:
        engine_of(incus).destroy("shiny")
    assert caught.value.details == "Instance is running"


@pytest.mark.parametrize(
    "remove", [lambda engine: engine.destroy("shiny"), lambda engine: engine.delete_baked("shiny")]
)
def test_another_ones_is_left_alone(remove: Callable[[IncusEngine], None]) -> None:
    incus = OneInstance("Running")
    incus.made_by = "somebody"
    with pytest.raises(ProviderError):
        remove(engine_of(incus))
    assert incus.status == "Running"


def test_a_stop_waits_for_a_start_that_was_asked_for() -> None:
    incus = OneInstance("Stopped", pending=2)
    engine_of(incus).stop("shiny", timeout_s=5)
    assert incus.status == "Stopped"


class DeafMachine(OneInstance):
    """A machine to which a stop was said before its systemd could hear it: Incus waits for ever."""

    def __init__(self) -> None:
        super().__init__("Running")
        self.stops: list[dict[str, Any]] = []

    def query(self, method: str, path: str, *args: Any, **more: Any) -> Any:
        if method == "PUT":
            self.stops.append(args[0])
        return super().query(method, path, *args, **more)

    def _operations(self) -> dict[str, Any]:
        if self.status != "Running":
            return {"running": None}
        work = {
            "class": "task",
            "description": "Stopping instance",
            "resources": {"instances": ["/1.0/instances/shiny?project=sandbox"]},
        }
        return {"running": [work]}


def test_a_stop_that_was_never_heard_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "_SETTLE_S", 3.0)
    monkeypatch.setattr(power, "_DEAF_S", 0.1)
    incus = DeafMachine()
    engine_of(incus).settle("shiny")
    # Not by force: what runs in the machine is ended as always
    assert [(one["action"], one["force"]) for one in incus.stops] == [("stop", False)]
    assert incus.status == "Stopped"


def test_what_incus_is_at_for_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "_SETTLE_S", 0.3)
    monkeypatch.setattr(power, "_DEAF_S", 0.1)
    incus = OneInstance("Stopped", pending=10_000)
    with pytest.raises(ProviderError, match="Incus is still busy with shiny: Restoring snapshot"):
        engine_of(incus).settle("shiny")
