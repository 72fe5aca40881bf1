"""The Incus engine: system containers on this machine or on a remote Incus server."""

from collections.abc import Sequence
from typing import Any

from sandbox.errors import ProviderError
from sandbox.events import Listener, Notice
from sandbox.providers.engine import MachineSpec, MachineStatus, Power, SshEndpoint, require_size
from sandbox.providers.findings import HostReport
from sandbox.providers.incus import ready_script as inside
from sandbox.providers.incus.baking import IncusBaking, architecture_of, beside
from sandbox.providers.incus.base_transfer import IncusBaseTransfer
from sandbox.providers.incus.client import (
    ExistsError,
    IncusClient,
    NotFoundError,
    api_path,
)
from sandbox.providers.incus.commands import IncusCommands, say_ready
from sandbox.providers.incus.instance_request import machine_body
from sandbox.providers.incus.instances import (
    AUTHORIZED_KEY,
    daemon_findings,
    is_our_instance,
    machine_status,
    power_of,
    ssh_port_is_open,
)
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.power import IncusPower
from sandbox.providers.incus.snapshots import IncusSnapshots
from sandbox.providers.sealing import is_baked_name

_CREATE_S = 1800.0
_TRIES = 3


class IncusEngine(IncusPower, IncusCommands, IncusSnapshots, IncusBaking, IncusBaseTransfer):
    """Machines as Incus containers, in a project of our own."""

    provider = "incus"

    def __init__(self, place: IncusPlace) -> None:
        self.place = place
        self.client = IncusClient(place)
        self._host_keys: dict[str, tuple[str, ...]] = {}
        # Of the machines that this object has started, as their ready script printed them

    @property
    def shares_kernel(self) -> bool:
        """Whether the containers are this host's; see `abilities.SharesKernel`."""
        return self.place.is_local

    def check_host(self, *, brief: bool = False) -> HostReport:
        """Prove what is usable here; reads only."""
        del brief
        return HostReport(self.provider, daemon_findings(self.client))

    def create(self, spec: MachineSpec, listener: Listener) -> None:
        """Make the machine, stopped, with its limits and labels, in one request to Incus.

        Incus undoes its work when the request fails; it finishes the work when only we are gone.

        Raises:
            HostError: the host has not enough memory, processors or space.
            ProviderError: Incus refused, or somebody else's instance has the name.
        """
        for _ in range(_TRIES):
            instance = self._find(spec.name)
            if instance is None:
                self._check_size(spec)
                try:
                    self._request(spec)
                except ExistsError:
                    # Another command was quicker by a moment
                    continue
                except ProviderError:
                    # Quicker by even less; Incus has other words for that
                    if self._find(spec.name) is None:
                        raise
                    continue
                self._say_unlimited_disk(spec, listener)
                return
            _refuse_foreign(spec.name, instance)
            self._settle(spec.name)
            if self._renew_key(spec.name, spec.authorized_key):
                return
        raise ProviderError(f"{spec.name} keeps coming and going: is another command at it?")

    def start(self, name: str, listener: Listener) -> None:
        """Start or resume it, prepare its login, wait until systemd is up and sshd answers.

        An sshd that was stopped, masked or has lost its keys is brought back.

        On an image without sshd (a public one) the wait ends when the machine has an address.

        Raises:
            ProviderError: absent, not ours, or not ready in time; the last state is in the error.
        """
        instance = self._settled(name)
        match machine_status(name, instance, local=False).power:
            case Power.PAUSED:
                self._set_state(name, "unfreeze", timeout_s=inside.WAIT_S)
                listener(Notice(name, "the machine was paused: it goes on"))
            case Power.STOPPED:
                self._isolate_old(name, instance)
                self._power_on(name)
            case Power.RUNNING:
                pass
            case _:
                self._power_on(name)
        ready = self._wait_ready(name, str(instance["config"].get(AUTHORIZED_KEY, "")), listener)
        self._host_keys[name] = ready.host_keys
        say_ready(name, ready, listener)

    def stop(self, name: str, *, timeout_s: float) -> None:
        """Shut it down, by force after `timeout_s`.

        Raises:
            ProviderError: absent, not ours, or it cannot be stopped even by force.
        """
        self._host_keys.pop(name, None)
        instance = self._settled(name)
        if instance["status"] == "Stopped":
            return
        try:
            if power_of(instance) is Power.PAUSED:
                # A paused machine does not shut itself down
                self._set_state(name, "unfreeze", timeout_s=timeout_s)
            self._set_state(name, "stop", timeout_s=timeout_s)
        except ProviderError:
            self._stop_by_force(name)

    def destroy(self, name: str) -> None:
        """Remove it, whatever its state.

        Raises:
            ProviderError: it is not ours, or Incus cannot remove it.
        """
        self._host_keys.pop(name, None)
        instance = self._find(name)
        if instance is None:
            return
        _refuse_foreign(name, instance)
        self._delete(name)

    def status(self, names: Sequence[str] | None = None) -> dict[str, MachineStatus]:
        """Return our machines, or the named ones, in one query.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        if names is not None and len(names) == 1:
            found = [self._find(names[0])]
        else:
            # With their states it would take ten times as long, and we only want addresses
            deep = {"recursion": "1"}
            found = list(self.client.query("GET", api_path("instances"), parameters=deep))
        known = {str(instance["name"]): instance for instance in found if instance is not None}
        if names is None:
            names = sorted(name for name, instance in known.items() if is_our_instance(instance))
        is_local = self.place.is_local
        leases = self._leases() if is_local and known else {}
        return {
            name: machine_status(name, known.get(name), local=is_local, leases=leases)
            for name in names
        }

    def _leases(self) -> dict[str, str]:
        """The addresses that our network has given out, by network card."""
        found = self.client.query("GET", api_path("networks", self.place.network, "leases"))
        return {
            str(lease["hwaddr"]): str(lease["address"])
            for lease in found or ()
            if ":" not in lease["address"]
        }

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        """Return the machine's address for ssh: over a route, else through `incus exec`.

        Raises:
            ProviderError: it does not run, or its host key cannot be read.
        """
        status = self.status([name])[name]
        if status.power is not Power.RUNNING:
            raise ProviderError(
                f"{name} does not run: it is {status.power}",
                details=status.detail,
                hint=f"sandbox start {name}",
            )
        keys = self._host_keys.get(name) or self._read_host_keys(name)
        if status.address is not None and ssh_port_is_open(status.address):
            return SshEndpoint(inside.LOGIN_USER, status.address, 22, keys)
        return SshEndpoint(inside.LOGIN_USER, name, 22, keys, self.proxy_command(name))

    def _find(self, name: str) -> dict[str, Any] | None:
        self.client.ref(name)
        try:
            return dict(self.client.query("GET", api_path("instances", name)))
        except NotFoundError:
            return None

    def _ours(self, name: str) -> dict[str, Any]:
        instance = self._find(name)
        if instance is None:
            raise ProviderError(f"there is no machine {name}", hint=f"sandbox up --name {name}")
        _refuse_foreign(name, instance)
        return instance

    def _request(self, spec: MachineSpec) -> None:
        body = machine_body(spec, self.place)
        # A clone is quick on the member that has the baked image
        source = (self._find(spec.image) if is_baked_name(spec.image) else None) or {}
        body |= architecture_of(source)
        self.client.query(
            "POST",
            api_path("instances"),
            body,
            parameters=beside(source),
            timeout_s=_CREATE_S,
        )

    def _check_size(self, spec: MachineSpec) -> None:
        resources = self.client.query("GET", api_path("resources"))
        memory_mb = int(resources["memory"]["total"]) // 1024**2
        cpus = int(resources["cpu"]["total"])
        require_size(spec, memory_mb=memory_mb, cpus=cpus)

    def _say_unlimited_disk(self, spec: MachineSpec, listener: Listener) -> None:
        pool = self.client.query("GET", api_path("storage-pools", self.place.pool))
        if pool["driver"] == "dir":
            text = (
                f"the storage pool {self.place.pool} is a plain folder: the size of the disk "
                f"({spec.disk_gb} GB) is not enforced"
            )
            listener(Notice(spec.name, text))

    def renew_login(self, name: str, authorized_key: str, listener: Listener) -> None:
        """Let `authorized_key` log in to the running machine; other keys stay as they are.

        Raises:
            ProviderError: absent, not ours, or the account cannot be prepared.
        """
        self._ours(name)
        self._renew_key(name, authorized_key)
        self.start(name, listener)

    def _renew_key(self, name: str, authorized_key: str) -> bool:
        """Put our key in again: its folder may have been lost; False when the machine is gone."""
        instance = self._find(name)
        if instance is None:
            return False
        if instance["config"].get(AUTHORIZED_KEY) != authorized_key:
            change = {"config": {AUTHORIZED_KEY: authorized_key}}
            self.client.query("PATCH", api_path("instances", name), change)
        return True


def _refuse_foreign(name: str, instance: dict[str, Any]) -> None:
    if not is_our_instance(instance):
        raise ProviderError(
            f"there is an Incus instance {name} that `sandbox` did not make; it is left alone",
            hint="choose another name with --name",
        )
