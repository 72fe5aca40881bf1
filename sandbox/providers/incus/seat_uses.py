"""What the machines of a workshop use now, by one question to Incus."""

from typing import Any, Final

from sandbox.providers.engine import Power
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.instances import power_of
from sandbox.providers.incus.seat_request import label_of
from sandbox.providers.seats import SeatUse

_MB: Final = 1024**2
_TIMEOUT_S: Final = 60.0


def seat_uses(client: IncusClient, workshop: str) -> dict[str, SeatUse]:
    """Say what the running machines use, by name; those that cannot be asked are left out.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    with_states = {"recursion": "2"}
    path = api_path("instances")
    found = client.query("GET", path, parameters=with_states, timeout_s=_TIMEOUT_S)
    uses = {}
    for instance in found:
        label = label_of(instance)
        if label is None or label.workshop != workshop:
            continue
        use = _use(instance) if power_of(instance) is Power.RUNNING else None
        if use is not None:
            uses[str(instance["name"])] = use
    return uses


def _use(instance: dict[str, Any]) -> SeatUse | None:
    state = instance.get("state") or {}
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
