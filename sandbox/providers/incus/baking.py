"""Baked images of Incus: stopped instances in our project, copied by the storage pool.

An image is an instance `Baked-KEY-WORD`, a name that no sandbox can have. It is made in three
steps: a copy of the machine's snapshot; the seal, run in the copy while nothing else runs there;
and last one change of a record, which says that the image is complete. An image that was cut off
before that is never used.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.errors import ProviderError
from sandbox.events import Listener, StepOutput
from sandbox.providers.abilities import BakedImage
from sandbox.providers.incus.client import IncusClient, NotFoundError, api_path
from sandbox.providers.incus.instances import (
    AUTHORIZED_KEY,
    BAKED,
    LABEL,
    MADE_BY,
    OURS,
    SEAT,
    config_of,
)
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.ready_script import LOGIN_USER
from sandbox.providers.moments import NEVER, moment_of
from sandbox.providers.sealing import IMAGE_PREFIX, SEAL
from sandbox.run import Completed

KEY = "user.sandbox-engine.bake-key"
COMPLETE = "user.sandbox-engine.bake-complete"
"""When it was finished; absent before that."""
COPY_OF = "user.sandbox-engine.copy-of"
"""On an image that was copied to another member of a cluster: the image it was copied from."""
MADE_FROM = "user.sandbox-engine.made-from"
"""On a machine: the image that the machine was made from."""

_COPY_S = 1800.0
_SEAL_S = 300.0
_STOP_S = 60.0
# No program of the machine runs while it is sealed: no service could write a new secret
_ALONE = "lxc.init.cmd = /bin/sleep 3600"


class IncusBaking(ABC):
    """The part of the engine that keeps machines as images; see `abilities.Baking`."""

    client: IncusClient
    place: IncusPlace
    clones_keep_disk_size = False

    @abstractmethod
    def _require_snapshot(self, name: str, snapshot: str) -> None:
        """Raise an error when the machine does not have the snapshot."""

    @abstractmethod
    def _settle(self, name: str) -> None:
        """Wait until Incus has finished its work on the machine."""

    @abstractmethod
    def _delete(self, name: str) -> None:
        """Delete an instance, whatever its state."""

    @abstractmethod
    def _set_state(self, name: str, action: str, *, timeout_s: float, force: bool = False) -> None:
        """Start or stop an instance."""

    @abstractmethod
    def exec_as_root(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        stdin: str | bytes | None = None,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a command as root; see `abilities.RootExec`."""

    def bake(
        self,
        name: str,
        snapshot: str,
        key: str,
        labels: tuple[tuple[str, str], ...],
        listener: Listener,
    ) -> BakedImage:
        """Keep the machine `name`, as it was at `snapshot`, as an image of `key`.

        Raises:
            ProviderError: no such machine or snapshot, or Incus failed; nothing is left.
        """
        self._require_snapshot(name, snapshot)
        for old in self.baked_images():
            if old.key == key and not old.complete:
                self.delete_baked(old.image)
        image = f"{IMAGE_PREFIX}{key}-{secrets.token_hex(3)}"
        try:
            listener(StepOutput(name, "copying it"))
            self._copy(name, snapshot, image, key, labels)
            listener(StepOutput(name, "taking out what is its own"))
            self._seal(name, image)
            made_at = datetime.now(UTC)
            done = {COMPLETE: made_at.isoformat(), "raw.lxc": ""}
            self.client.query("PATCH", api_path("instances", image), {"config": done})
        except BaseException:
            with suppress(ProviderError):
                self.delete_baked(image)
            raise
        return BakedImage(image, key, made_at, complete=True, labels=labels)

    def baked_images(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """List all baked images, the newest first, also unfinished ones."""
        depth = {"recursion": "2" if with_sizes else "1"}
        instances = self.client.query("GET", api_path("instances"), parameters=depth, timeout_s=60)
        # Of several with one key and one time, the first is what the copies were made from
        instances = sorted(instances, key=lambda one: bool(config_of(one).get(COPY_OF)))
        users: dict[str, list[str]] = {}
        for instance in instances:
            source = config_of(instance).get(MADE_FROM)
            if source and config_of(instance).get(MADE_BY) in (OURS, SEAT):
                users.setdefault(source, []).append(str(instance["name"]))
        images = [
            _image(instance, tuple(sorted(users.get(instance["name"], ()))))
            for instance in instances
            if is_baked(instance)
        ]
        return tuple(sorted(images, key=lambda image: image.made_at, reverse=True))

    def delete_baked(self, image: str) -> None:
        """Remove an image; machines made from it stay whole: the pool keeps what they share.

        Raises:
            ProviderError: it is not a baked image of ours, or Incus cannot remove it.
        """
        # A killed bake may have left Incus in the middle of the copy
        self._settle(image)
        try:
            if not is_baked(self.client.query("GET", api_path("instances", image))):
                raise ProviderError(f"the Incus instance {image} is not a baked image of ours")
        except NotFoundError:
            return
        self._delete(image)

    def _copy(
        self, name: str, snapshot: str, image: str, key: str, labels: tuple[tuple[str, str], ...]
    ) -> None:
        instance = self.client.query("GET", api_path("instances", name))
        machine = config_of(instance)
        body = {
            "name": image,
            "type": "container",
            "source": {"type": "copy", "source": f"{name}/{snapshot}", "instance_only": True},
            **architecture_of(instance),
            "profiles": [],
            "config": {
                # The machine's labels (where its record is) do not hold for an image
                **{word: "" for word in machine if word.startswith(LABEL)},
                **{f"{LABEL}{word}": value for word, value in labels},
                MADE_BY: BAKED,
                KEY: key,
                COMPLETE: "",
                COPY_OF: "",
                MADE_FROM: "",
                AUTHORIZED_KEY: "",
                "raw.lxc": _ALONE,
                "boot.autostart": "false",
            },
            "devices": {"eth0": {"type": "none"}},
        }
        # On the member that has the machine: elsewhere all of it would go over the network
        self.client.query(
            "POST",
            api_path("instances"),
            body,
            parameters=beside(instance),
            timeout_s=_COPY_S,
        )

    def _seal(self, name: str, image: str) -> None:
        self._set_state(image, "start", timeout_s=_STOP_S)
        words = ("sh", "-s", LOGIN_USER, name)
        self.exec_as_root(image, words, timeout_s=_SEAL_S, stdin=SEAL)
        self._set_state(image, "stop", timeout_s=_STOP_S, force=True)


def beside(instance: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of a request that makes an instance on the same member."""
    member = str(instance.get("location") or "none")
    return {} if member == "none" else {"target": member}


def architecture_of(instance: dict[str, Any]) -> dict[str, str]:
    """Return the part of a request that makes a copy of an instance; a cluster asks for it."""
    said = instance.get("architecture")
    return {"architecture": str(said)} if said else {}


def is_baked(instance: dict[str, Any]) -> bool:
    """Tell whether the instance is a baked image of ours, finished or not."""
    return bool(config_of(instance).get(MADE_BY) == BAKED)


def is_complete(instance: dict[str, Any], key: str) -> bool:
    """Tell whether the instance is a finished baked image of that key."""
    config = config_of(instance)
    is_finished = moment_of(str(config.get(COMPLETE) or "")) is not None
    return is_baked(instance) and is_finished and config.get(KEY) == key


def _image(instance: dict[str, Any], machines: tuple[str, ...]) -> BakedImage:
    config = config_of(instance)
    # We did not write a text that is not a time
    made_at = moment_of(str(config.get(COMPLETE) or ""))
    labels = tuple(
        sorted(
            (key.removeprefix(LABEL), str(value))
            for key, value in config.items()
            if key.startswith(LABEL)
        )
    )
    return BakedImage(
        image=str(instance["name"]),
        key=str(config.get(KEY, "")),
        made_at=made_at or NEVER,
        complete=made_at is not None,
        labels=labels,
        size_bytes=_size(instance),
        machines=machines,
    )


def _size(instance: dict[str, Any]) -> int | None:
    disk = (instance.get("state") or {}).get("disk") or {}
    usage = (disk.get("root") or {}).get("usage")
    return int(usage) if usage else None
