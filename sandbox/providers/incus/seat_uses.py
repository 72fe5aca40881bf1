"""What the machines of a workshop use now: asked every few seconds, so it must cost little.

Measured with 30 machines: Incus's metrics take 70 ms of its processor (it keeps them for 8 s, then
20 ms, and so do we), the states of all instances 170 ms, of one 6 ms. Only the states say how much
disk is used: they are asked every two minutes.
"""

import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers.engine import Power
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.cluster import IncusCluster
from sandbox.providers.incus.instances import power_of
from sandbox.providers.incus.seat_request import label_of
from sandbox.providers.incus.server import ServerMember
from sandbox.providers.seats import MemberLostError, SeatUse, label_in

_MB: Final = 1024**2
_TIMEOUT_S: Final = 60.0
_ONE_S: Final = 10.0
_STATES_EVERY_S: Final = 120.0
_METRICS_EVERY_S: Final = 8.0
"""Incus itself says the same for so long."""
_METRIC: Final = re.compile(r"^incus_(\w+)\{(.*)\} ([0-9.eE+-]+)$", re.MULTILINE)
_NAME: Final = re.compile(r'(?:^|,)name="([^"]*)"')
_METRICS: Final = "/1.0/metrics"
_CPU: Final = "cpu_seconds_total"
_MEMORY: Final = ("memory_MemTotal_bytes", "memory_MemAvailable_bytes")
_PROCESSES: Final = "procs_total"


@dataclass(frozen=True)
class _States:
    """What the states of all instances said, and when."""

    at: float = -_STATES_EVERY_S
    workshops: Mapping[str, str] = field(default_factory=dict)
    """By machine: the workshop."""
    uses: Mapping[str, SeatUse] = field(default_factory=dict)


class SeatUses:
    """Keeps what is asked rarely. May be used by many threads."""

    def __init__(self, client: IncusClient, cluster: IncusCluster) -> None:
        self._client = client
        self._cluster = cluster
        self._lock = threading.Lock()
        self._states = _States()
        self._found: dict[str, SeatUse] = {}
        self._found_at = -_METRICS_EVERY_S

    def now(self, workshop: str) -> dict[str, SeatUse]:
        """Say what the running machines use, by name; those that cannot be asked are left out.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        members = self._cluster.members() if self._cluster.is_one else ()
        all_online = all(one.online for one in members)
        with self._lock:
            found, known = self._metrics_now(members), self._states
            if not all_online:
                # To ask for all states may take a minute then; and a name says the workshop, too
                return {
                    name: _with_disk(use, known.uses.get(name))
                    for name, use in found.items()
                    if (label := label_in(name)) is not None and label.workshop == workshop
                }
            is_old = time.monotonic() - known.at >= _STATES_EVERY_S
            # Without metrics (an old Incus, a server that keeps them to itself) the states say all
            if is_old or not found or not found.keys() <= known.workshops.keys():
                self._states = known = self._ask_states()
        uses = found or dict(known.uses)
        return {
            name: _with_disk(use, known.uses.get(name))
            for name, use in uses.items()
            if known.workshops.get(name) == workshop
        }

    def of(self, name: str) -> SeatUse | None:
        """Say what one machine uses now, by its state; None when it does not run.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        path = api_path("instances", name, "state")
        state = self._client.query("GET", path, timeout_s=_ONE_S)
        return _use_in(state) if power_of(state) is Power.RUNNING else None

    def _metrics_now(self, members: Sequence[ServerMember]) -> dict[str, SeatUse]:
        if time.monotonic() - self._found_at >= _METRICS_EVERY_S:
            self._found = self._metrics(members)
            self._found_at = time.monotonic()
        return self._found

    def _metrics(self, members: Sequence[ServerMember]) -> dict[str, SeatUse]:
        """What runs on each server that answers: of a cluster, a member knows its own alone."""
        if not members:
            return uses_in(self._client.text(_METRICS, timeout_s=_TIMEOUT_S))
        found: dict[str, SeatUse] = {}
        for member in members:
            if member.online:
                # It may die while it is asked
                with suppress(MemberLostError), self._cluster.asking(member.name):
                    at = {"target": member.name}
                    said = self._client.text(_METRICS, parameters=at, timeout_s=_TIMEOUT_S)
                    found |= uses_in(said)
        return found

    def _ask_states(self) -> _States:
        deep, path = {"recursion": "2"}, api_path("instances")
        asked = self._client.query("GET", path, parameters=deep, timeout_s=_TIMEOUT_S)
        labels = {str(one["name"]): label_of(one) for one in asked}
        uses = {
            str(one["name"]): _use_in(one.get("state"))
            for one in asked
            if power_of(one) is Power.RUNNING
        }
        return _States(
            at=time.monotonic(),
            workshops={name: label.workshop if label else "" for name, label in labels.items()},
            uses={name: use for name, use in uses.items() if use is not None},
        )


def uses_in(metrics: str) -> dict[str, SeatUse]:
    """Read Incus's metrics: by machine what it uses, without its disk.

    Memory is what the machine needs: pages of files that can be dropped are not counted.
    """
    sums: dict[str, dict[str, float]] = {}
    for metric, labels, value in _METRIC.findall(metrics):
        name = _NAME.search(labels)
        if name is None or (metric == _CPU and 'mode="idle"' in labels):
            continue
        of_machine = sums.setdefault(name[1], {})
        of_machine[metric] = of_machine.get(metric, 0.0) + float(value)
    total, available = _MEMORY
    return {
        name: SeatUse(
            cpu_s=said[_CPU],
            memory_mb=max(0, int(said[total] - said[available])) // _MB,
            processes=int(said.get(_PROCESSES, 0)),
        )
        for name, said in sums.items()
        if {_CPU, total, available} <= said.keys()
    }


def _use_in(said: Mapping[str, Any] | None) -> SeatUse | None:
    """What the state of an instance says; its memory includes pages of files."""
    state = said or {}
    cpu_ns = (state.get("cpu") or {}).get("usage")
    memory = (state.get("memory") or {}).get("usage")
    if cpu_ns is None or memory is None:
        return None
    disk = ((state.get("disk") or {}).get("root") or {}).get("usage")
    return SeatUse(
        cpu_s=int(cpu_ns) / 1e9,
        memory_mb=int(memory) // _MB,
        processes=int(state.get("processes") or 0),
        disk_mb=int(disk) // _MB if disk else None,
    )


def _with_disk(use: SeatUse, state: SeatUse | None) -> SeatUse:
    disk_mb = state.disk_mb if state is not None else None
    return SeatUse(use.cpu_s, use.memory_mb, use.processes, disk_mb)
