"""A provider and its engine without machines, for tests: files, and failures on demand.

Tests see the same behaviour through the protocol as with a real provider: the contract suite runs
both.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.errors import CommandError, ProviderError, SandboxError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.files import whole_file
from sandbox.providers.abilities import BakedImage, Snapshot
from sandbox.providers.base_images import PreparedBase, StoredBase, WantedBase
from sandbox.providers.engine import (
    Engine,
    MachineSpec,
    MachineStatus,
    Power,
    SshEndpoint,
    require_size,
)
from sandbox.providers.findings import Finding, HostReport
from sandbox.providers.place import Place
from sandbox.providers.refusals import has_already
from sandbox.run import Completed

if TYPE_CHECKING:
    from sandbox.plan import HostLimits

_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake"


@dataclass
class FakeEngine:
    """Machines that are files in `folder`."""

    folder: Path
    failures: dict[str, BaseException] = field(default_factory=dict)
    """Errors that calls raise instead of doing their work: `{"create": ProviderError("full")}`, or
    for one machine `{"create:a": …}`. They are raised before anything is changed; `{"create!": …}`
    raises after the change, and `{"power_on!": …}` in the middle of a start."""
    calls: list[str] = field(default_factory=list)
    """`create:a`, `start:a` … in the order they came."""
    host_memory_mb: int = 16384
    host_cpus: int = 16
    findings: tuple[Finding, ...] = (Finding(ok=True, title="the fake provider answers"),)
    answers: Callable[[str, tuple[str, ...]], Completed] | None = None
    """The answer of `exec_as_root` for a machine and an argv; None: success without output."""
    provider: str = "fake"
    clones_keep_disk_size: bool = False

    def check_host(self, *, brief: bool = False) -> HostReport:
        """Return `findings`."""
        del brief
        self._called("check_host", "")
        return HostReport(self.provider, self.findings)

    def create(self, spec: MachineSpec, listener: Listener) -> None:
        """Write the machine's file, in one go."""
        self._called("create", spec.name)
        there = self._read(spec.name)
        if there is not None:
            self._refuse_foreign(spec.name, there)
            return
        require_size(spec, memory_mb=self.host_memory_mb, cpus=self.host_cpus)
        if spec.image.startswith("baked-") and not self._image(spec.image).exists():
            raise ProviderError(f"there is no image {spec.image}")
        listener(StepOutput(spec.name, f"from {spec.image}"))
        machine = {"power": Power.STOPPED, "labels": dict(spec.labels), "image": spec.image}
        self._write(spec.name, **machine, isolated=spec.isolated, ours=True)
        self._done("create", spec.name)

    def start(self, name: str, listener: Listener) -> None:
        """Note that the machine runs."""
        self._called("start", name)
        machine = self._ours(name)
        if machine["power"] == Power.PAUSED:
            listener(Notice(name, "the machine was paused: it goes on"))
        machine = {**machine, "power": Power.RUNNING}
        self._write(name, **machine)
        self._done("power_on", name)
        listener(StepOutput(name, "running"))
        self._write(name, **{**machine, "has_login": True})
        self._done("start", name)

    def stop(self, name: str, *, timeout_s: float) -> None:
        """Note that the machine is stopped."""
        self._called("stop", name)
        if timeout_s < 0:
            raise ProviderError(f"{timeout_s:g} is no time to wait")
        self._write(name, **{**self._ours(name), "power": Power.STOPPED})
        self._done("stop", name)

    def destroy(self, name: str) -> None:
        """Remove the machine's file."""
        self._called("destroy", name)
        machine = self._read(name)
        if machine is None:
            return
        self._refuse_foreign(name, machine)
        self._file(name).unlink(missing_ok=True)
        self._done("destroy", name)

    def status(self, names: Sequence[str] | None = None) -> dict[str, MachineStatus]:
        """Return the machines' states in the files."""
        self._called("status", "")
        if names is None:
            known = sorted(path.stem for path in self.folder.glob("*.json"))
            names = [name for name in known if (self._read(name) or {}).get("ours")]
        return {name: self._status(name) for name in names}

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        """Return an address for ssh that nobody has."""
        self._called("ssh_endpoint", name)
        status = self._status(name)
        if status.power is not Power.RUNNING or status.address is None:
            raise ProviderError(f"{name} does not run: it is {status.power}")
        if not self._ours(name).get("has_login"):
            raise ProviderError(f"{name} was never wholly started: nobody may log in")
        return SshEndpoint("sandbox", status.address, 22, (_HOST_KEY,))

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
        """Answer as `answers` says."""
        del timeout_s, stdin, log
        self._called("exec_as_root", name)
        if self._status(name).power is not Power.RUNNING:
            raise ProviderError(f"{name} does not run")
        words = tuple(argv)
        done = self.answers(name, words) if self.answers else Completed(words, 0, "", "", 0.0)
        for line in done.stdout.splitlines():
            if on_line is not None:
                on_line(line)
        if check and done.returncode != 0:
            # Like a real engine: the program's own failure is not told apart
            error = CommandError("failed", returncode=done.returncode, stderr=done.stderr)
            raise ProviderError(f"`{words[0]}` failed in {name}", details=done.stderr) from error
        return done

    def is_isolated(self, name: str) -> bool | None:
        """Return the isolation that was noted for the machine."""
        word = self._ours(name).get("isolated")
        return None if word is None else bool(word)

    def isolate(self, name: str, *, isolated: bool) -> None:
        """Note the isolation."""
        self._called("isolate", name)
        self._write(name, **{**self._ours(name), "isolated": isolated})

    def save_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Note the snapshot's name."""
        self._called("save_snapshot", name)
        machine = self._ours(name)
        kept = dict(machine.get("snapshots", {}))
        if snapshot in kept:
            raise has_already(name, snapshot)
        listener(StepOutput(name, f"saving {snapshot}"))
        kept[snapshot] = datetime.now(UTC).isoformat()
        self._write(name, **{**machine, "snapshots": kept})
        self._done("save_snapshot", name)

    def restore_snapshot(self, name: str, snapshot: str, listener: Listener) -> None:
        """Report the restore: there is nothing to take back."""
        self._called("restore_snapshot", name)
        self._require_snapshot(name, snapshot)
        listener(StepOutput(name, f"going back to {snapshot}"))
        self._done("restore_snapshot", name)

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """List the snapshots that were noted."""
        self._called("snapshots", name)
        kept = dict(self._ours(name).get("snapshots", {}))
        return tuple(Snapshot(key, datetime.fromisoformat(at)) for key, at in kept.items())

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        """Forget the snapshot's name."""
        self._called("delete_snapshot", name)
        machine = self._require_snapshot(name, snapshot)
        kept = {key: at for key, at in machine["snapshots"].items() if key != snapshot}
        self._write(name, **{**machine, "snapshots": kept})
        self._done("delete_snapshot", name)

    def bake(
        self,
        name: str,
        snapshot: str,
        key: str,
        labels: tuple[tuple[str, str], ...],
        listener: Listener,
    ) -> BakedImage:
        """Write the image's file, in two steps: `{"bake!": …}` raises between them."""
        self._called("bake", name)
        self._require_snapshot(name, snapshot)
        for old in self.baked_images():
            if old.key == key and not old.complete:
                self.delete_baked(old.image)
        listener(StepOutput(name, "baking"))
        image = f"baked-{key}-{sum(call.startswith('bake:') for call in self.calls)}"
        content = {"key": key, "labels": dict(labels), "made_at": datetime.now(UTC).isoformat()}
        self._image(image).parent.mkdir(parents=True, exist_ok=True)
        self._image(image).write_text(json.dumps({**content, "complete": False}), encoding="utf-8")
        self._done("bake", name)
        self._image(image).write_text(json.dumps({**content, "complete": True}), encoding="utf-8")
        return next(one for one in self.baked_images() if one.image == image)

    def baked_images(self, *, with_sizes: bool = False) -> tuple[BakedImage, ...]:
        """List the baked images in the files."""
        self._called("baked_images", "")
        machines = {path.stem: self._read(path.stem) or {} for path in self.folder.glob("*.json")}
        found = []
        for path in (self.folder / "baked").glob("*.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            users = [name for name, one in machines.items() if one.get("image") == path.stem]
            found.append(
                BakedImage(
                    image=path.stem,
                    key=str(content["key"]),
                    made_at=datetime.fromisoformat(content["made_at"]),
                    complete=bool(content["complete"]),
                    labels=tuple(sorted(content["labels"].items())),
                    size_bytes=path.stat().st_size if with_sizes else None,
                    machines=tuple(sorted(users)),
                )
            )
        return tuple(sorted(found, key=lambda one: one.made_at, reverse=True))

    def delete_baked(self, image: str) -> None:
        """Remove the image's file."""
        self._called("delete_baked", image)
        if self._file(image).exists():
            raise ProviderError(f"{image} is not a baked image")
        self._image(image).unlink(missing_ok=True)

    def add_foreign(self, name: str) -> None:
        """Make a machine of that name that somebody else owns."""
        self._write(name, power=Power.RUNNING, labels={}, ours=False)

    def set_power(self, name: str, power: Power) -> None:
        """Change the machine's state without the engine's knowledge."""
        self._write(name, **{**self._ours(name), "power": power})

    def _called(self, call: str, name: str) -> None:
        self.calls.append(f"{call}:{name}" if name else call)
        for key in (call, f"{call}:{name}"):
            if key in self.failures:
                raise self.failures[key]

    def _done(self, call: str, name: str) -> None:
        for key in (f"{call}!", f"{call}!:{name}"):
            if key in self.failures:
                raise self.failures[key]

    def _status(self, name: str) -> MachineStatus:
        machine = self._read(name)
        if machine is None or not machine["ours"]:
            detail = "" if machine is None else "a machine of that name is not ours"
            return MachineStatus(name, Power.ABSENT, detail=detail)
        power = Power(str(machine["power"]))
        address = f"192.0.2.{sum(name.encode()) % 250 + 1}" if power is Power.RUNNING else None
        labels = tuple(sorted(dict(machine["labels"]).items()))
        return MachineStatus(name, power, address, detail=power.value, labels=labels)

    def _ours(self, name: str) -> dict[str, Any]:
        machine = self._read(name)
        if machine is None:
            raise ProviderError(f"there is no machine {name}")
        self._refuse_foreign(name, machine)
        return machine

    def _require_snapshot(self, name: str, snapshot: str) -> dict[str, Any]:
        machine = self._ours(name)
        if snapshot not in machine.get("snapshots", {}):
            raise ProviderError(f"{name} has no snapshot {snapshot}")
        return machine

    def _refuse_foreign(self, name: str, machine: dict[str, Any]) -> None:
        if not machine["ours"]:
            raise ProviderError(f"there is a machine {name} that `sandbox` did not make")

    def _image(self, image: str) -> Path:
        return self.folder / "baked" / f"{image}.json"

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> dict[str, Any] | None:
        with suppress(FileNotFoundError):
            return dict(json.loads(self._file(name).read_text(encoding="utf-8")))
        return None

    def _write(self, name: str, **machine: Any) -> None:  # noqa: ANN401  (JSON)
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self._file(name)) as fresh:
            fresh.write_text(json.dumps(machine), encoding="utf-8")


@dataclass
class FakeProvider:
    """A provider for one engine that a test made; it keeps what the test gives it."""

    engine: Engine
    base: PreparedBase = field(
        default_factory=lambda: PreparedBase("base-debian-12-0", "f00d", packages=None)
    )
    room: "HostLimits | None" = None
    """The most that one machine can get; None: no limit is checked."""
    bases: tuple[StoredBase, ...] | SandboxError = ()
    """The result of `stored_bases`, or the error it raises."""
    builds: frozenset[str] = frozenset()
    """The keys of builds that are still of use."""
    name: str = "fake"
    title: str = "the fake provider"
    linux_only: bool = False

    def make_engine(self, place: Place) -> Engine:
        """Return the engine of the test."""
        del place
        return self.engine

    def statuses(self, place: Place) -> dict[str, MachineStatus]:
        """Return the states of the engine's machines."""
        del place
        return self.engine.status()

    def made(self, folder: Path) -> bool:
        """Tell whether the folder has a file of this provider's."""
        return (folder / f"made-by-{self.name}").exists()

    def report(self, place: Place) -> HostReport:
        """Return the engine's findings."""
        del place
        return self.engine.check_host()

    def limits(self, place: Place) -> "HostLimits | None":
        """Return `room`."""
        del place
        return self.room

    def prepare_base(self, wanted: WantedBase, place: Place, listener: Listener) -> PreparedBase:
        """Return the base image that the test gave."""
        del wanted, place, listener
        return self.base

    def stored_bases(self, place: Place) -> tuple[StoredBase, ...]:
        """Return the base images that the test gave.

        Raises:
            SandboxError: the test gave an error.
        """
        del place
        if isinstance(self.bases, SandboxError):
            raise self.bases
        return self.bases

    def needed_builds(self, place: Place) -> frozenset[str]:
        """Return the keys that the test gave.

        Raises:
            SandboxError: the test gave an error for base images.
        """
        return self.builds | {one.key for one in self.stored_bases(place)}
