"""Copies of a baked image, one for each member of a cluster: a clone is quick only beside it.

A copy has a name of its own, for names are one in the cluster, and says which image it was copied
from. It counts as complete only when all of it is there; what an interrupted copy left is removed
before the next try.
"""

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sandbox.errors import ProviderError
from sandbox.events import Listener, StepOutput
from sandbox.locks import hold, lock_path
from sandbox.providers.incus.baking import (
    COMPLETE,
    COPY_OF,
    KEY,
    MADE_FROM,
    architecture_of,
    is_baked,
    is_complete,
)
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.cluster import location_of
from sandbox.providers.incus.instances import config_of
from sandbox.providers.sealing import IMAGE_PREFIX

_COPY_S: Final = 1800.0


class ImageCopies:
    """The baked images of one place, by member."""

    def __init__(self, client: IncusClient, delete: Callable[[str], None]) -> None:
        self._client = client
        self._delete = delete
        """Removes a baked image, whatever state Incus left it in."""

    def images(self, key: str) -> Mapping[str, str]:
        """Return the complete images of a key by member; the first made of several on one."""
        found: dict[str, str] = {}
        for one in _first_made(self._all()):
            if is_complete(one, key):
                found.setdefault(location_of(one), str(one["name"]))
        return found

    def spread(self, key: str, members: Sequence[str], listener: Listener) -> None:
        """Copy the image to each of these members that lacks it.

        Raises:
            ProviderError: there is none to copy, or a copy failed; what was made of it is removed.
        """
        with hold(lock_path(f"spread.{self._client.place.project}.{key}")):
            # Of what another, killed command began: under the lock nobody is at it
            for one in self._all():
                if config_of(one).get(KEY) == key and is_copy(one) and not is_complete(one, key):
                    self._delete(str(one["name"]))
            there = self.images(key)
            lacking = [one for one in members if one not in there]
            if not lacking:
                return
            source = self._source(key)
            # One after the other: Incus 6.0 breaks off one of two copies of the same instance
            for member in lacking:
                self._copy(source, key, member, listener)

    def clear(self, spared: frozenset[str]) -> tuple[str, ...]:
        """Remove the copies, but for the spared ones; the images that were baked stay.

        Returns:
            The names of what was removed.

        Raises:
            ProviderError: one cannot be removed.
        """
        found = self.copies(spared)
        for name in found:
            self._delete(name)
        return found

    def copies(self, spared: frozenset[str]) -> tuple[str, ...]:
        """Name the copies that nobody spares."""
        return tuple(
            str(one["name"]) for one in self._all() if is_copy(one) and one["name"] not in spared
        )

    def _source(self, key: str) -> dict[str, Any]:
        online = [one for one in self._all() if one.get("status") != "Error"]
        for one in _first_made(online):
            if is_complete(one, key):
                return one
        raise ProviderError(
            "no member that answers has the baked image of this workshop",
            hint="sandbox workshop up FILE bakes it again",
        )

    def _copy(self, source: dict[str, Any], key: str, member: str, listener: Listener) -> None:
        name = f"{IMAGE_PREFIX}{key}-{secrets.token_hex(3)}"
        listener(StepOutput(member, "copying the baked image to it"))
        try:
            body = copy_body(source, name)
            at = {"target": member}
            self._client.query(
                "POST", api_path("instances"), body, parameters=at, timeout_s=_COPY_S
            )
            # Of the same age: a copy is not a newer image than what it was copied from
            done = {COMPLETE: str(config_of(source)[COMPLETE])}
            self._client.query("PATCH", api_path("instances", name), {"config": done})
        except BaseException:
            with suppress(ProviderError):
                self._delete(name)
            raise

    def _all(self) -> list[dict[str, Any]]:
        deep = {"recursion": "1"}
        found = self._client.query("GET", api_path("instances"), parameters=deep, timeout_s=60)
        return [one for one in found if is_baked(one)]


def copy_body(source: dict[str, Any], name: str) -> dict[str, Any]:
    """Write the request that copies a baked image; the copy is not complete yet."""
    return {
        "name": name,
        "type": "container",
        **architecture_of(source),
        "source": {"type": "copy", "source": str(source["name"]), "instance_only": True},
        "profiles": [],
        "config": {
            # From one member to another, Incus takes over none of them
            **{key: value for key, value in config_of(source).items() if _is_to_keep(key)},
            COPY_OF: str(source["name"]),
            COMPLETE: "",
            "boot.autostart": "false",
        },
        # Elsewhere Incus does not take over the disk of what is copied
        "devices": source.get("devices") or {},
    }


def _is_to_keep(key: str) -> bool:
    return not key.startswith("volatile.")


def is_copy(instance: dict[str, Any]) -> bool:
    """Tell whether a baked image is a copy of another member's."""
    return bool(config_of(instance).get(COPY_OF))


def images_of_others(instances: Sequence[dict[str, Any]], workshop: str, of: str) -> frozenset[str]:
    """Return the images from which machines of other workshops were made.

    Args:
        instances: all of the place.
        workshop: the one that is not counted.
        of: the setting that says a machine's workshop.
    """
    users: dict[str, set[str]] = defaultdict(set)
    for one in instances:
        config = config_of(one)
        if config.get(of) and config.get(MADE_FROM):
            users[str(config[MADE_FROM])].add(str(config[of]))
    return frozenset(image for image, workshops in users.items() if workshops - {workshop})


def _first_made(instances: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(instances, key=lambda one: (is_copy(one), str(one["name"])))
