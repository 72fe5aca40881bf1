"""The request to Incus that makes a machine. Pure."""

from typing import Any

from sandbox.providers.engine import MachineSpec
from sandbox.providers.incus.baking import MADE_FROM
from sandbox.providers.incus.instances import AUTHORIZED_KEY, LABEL, MADE_BY, OURS
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.sealing import is_baked_name

ISOLATION = "security.port_isolation"
"""The option of a network card; machines of older versions do not have it."""


def machine_body(spec: MachineSpec, place: IncusPlace) -> dict[str, Any]:
    """Write the body of the one request that makes the machine, with its limits and labels."""
    labels = {f"{LABEL}{key}": value for key, value in spec.labels}
    return {
        "name": spec.name,
        "type": "container",
        "source": _source(spec.image),
        "profiles": [],
        "config": {
            **labels,
            MADE_BY: OURS,
            MADE_FROM: spec.image,
            AUTHORIZED_KEY: spec.authorized_key,
            "limits.cpu": str(spec.cpus),
            "limits.memory": f"{spec.memory_mb}MiB",
            "boot.autostart": "false",
        },
        "devices": {
            "root": root_disk(place, spec.disk_gb),
            "eth0": network_card(place, isolated=spec.isolated),
        },
    }


def root_disk(place: IncusPlace, gb: int) -> dict[str, str]:
    """Describe the disk that holds the whole machine."""
    return {"type": "disk", "path": "/", "pool": place.pool, "size": f"{gb}GiB"}


def network_card(place: IncusPlace, *, isolated: bool) -> dict[str, str]:
    """Describe the network card, to this host and out; no traffic passes between isolated ones."""
    card = {"type": "nic", "name": "eth0", "network": place.network}
    return {**card, ISOLATION: "true" if isolated else "false"}


def _source(image: str) -> dict[str, Any]:
    """The source: a baked image is copied; a base image is unpacked, by alias or fingerprint."""
    if is_baked_name(image):
        return {"type": "copy", "source": image, "instance_only": True}
    by = "fingerprint" if len(image) == 64 else "alias"  # noqa: PLR2004  (sha256)
    return {"type": "image", by: image}
