"""Machines of workshops' seats: clones of a baked image, in the workshop's own closed network."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final

from sandbox.deadline import keep_trying
from sandbox.errors import ProviderError, SandboxError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.providers.engine import Power, SshEndpoint
from sandbox.providers.incus import ready_script as inside
from sandbox.providers.incus.client import (
    ExistsError,
    IncusClient,
    NotFoundError,
    RemoteAwayError,
    api_path,
)
from sandbox.providers.incus.commands import IncusCommands, say_ready
from sandbox.providers.incus.image_copies import ImageCopies, images_of_others
from sandbox.providers.incus.instances import (
    AUTHORIZED_KEY,
    config_of,
    power_of,
    ssh_port_is_open,
)
from sandbox.providers.incus.members import KnownMembers, incus_members
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.incus.power import IncusPower
from sandbox.providers.incus.seat_network import SeatNetwork
from sandbox.providers.incus.seat_replicas import IncusReplicas
from sandbox.providers.incus.seat_request import (
    CPUS,
    WORKSHOP,
    address_of,
    is_seat,
    label_of,
    seat_body,
)
from sandbox.providers.incus.seat_servers import SeatServers
from sandbox.providers.incus.seat_uses import SeatUses
from sandbox.providers.members import Member
from sandbox.providers.seats import Furnishing, MemberLostError, SeatMachine, SeatUse, SeatWish
from sandbox.run import Completed

_CREATE_S: Final = 1800.0
_STOP_S: Final = 10.0
_TRIES: Final = 3


class IncusSeats(IncusPower, IncusCommands):
    """Seats in one Incus; see `seats.Seats`."""

    def __init__(self, place: IncusPlace) -> None:
        self.place = place
        self.client = IncusClient(place)
        self._servers = SeatServers(self.client)
        self._network = SeatNetwork(self.client, self._servers)
        self._copies = ImageCopies(self.client, self._delete)
        self._facts = KnownMembers()
        self._uses = SeatUses(self.client, self._servers.cluster)
        self._replicas = IncusReplicas(
            self.client, self._servers, self.images, self._delete, self.is_busy
        )

    def replicas(self) -> IncusReplicas:
        """Return the replicas of seats; see `replicas.KeepsReplicas`."""
        return self._replicas

    def members(self) -> tuple[Member, ...]:
        """List the servers; see `Seats.members`."""
        return incus_members(self.client, self._servers.cluster, self._facts)

    def images(self, key: str) -> Mapping[str, str]:
        """Return the complete baked images of a key by member; see `Seats.images`."""
        return {
            member or self._servers.name: one for member, one in self._copies.images(key).items()
        }

    def spread(self, key: str, members: Sequence[str], listener: Listener) -> None:
        """Make sure that each of these members has a baked image; see `Seats.spread`."""
        if self._servers.cluster.is_one:
            self._copies.spread(key, members, listener)
            return
        found = self.images(key)
        if lacking := [member for member in members if member not in found]:
            raise ProviderError(
                f"there is no complete baked image {key} on {', '.join(lacking)}",
                hint="sandbox workshop up bakes it again",
            )

    def prepare(self, workshop: str, may_reach: Sequence[str], listener: Listener) -> None:
        """Make the workshop's network and its rules; see `Seats.prepare`."""
        self._network.prepare(workshop, may_reach, listener)
        if hidden := self._servers.without_remote():
            text = (
                f"no remote of yours leads straight to {', '.join(hidden)}: when another member has"
                " been away, commands for seats there may hang; incus remote add NAME URL mends it"
            )
            listener(Notice(workshop, text))

    def make(
        self, wish: SeatWish, listener: Listener, *, furnishing: Furnishing | None = None
    ) -> SeatMachine:
        """Clone, start, and wait until it is up; see `Seats.make`."""
        self._servers.forget(wish.name)
        with self._servers.reaching_member(wish.member):
            return self._make_anew(wish, listener, furnishing)

    def _make_anew(
        self, wish: SeatWish, listener: Listener, furnishing: Furnishing | None
    ) -> SeatMachine:
        image = self._image(wish)
        for _ in range(_TRIES):
            self.remove(wish.name)
            try:
                self._clone(wish, image, listener)
                return self._started(wish, listener, furnishing)
            except ExistsError:
                # What a killed command has asked for began only now
                continue
            except BaseException:
                with suppress(SandboxError):
                    self.remove(wish.name)
                raise
        raise ProviderError(f"{wish.name} keeps coming and going: is another command at it?")

    def machines(self, workshop: str) -> tuple[SeatMachine, ...]:
        """List a workshop's machines by one question; see `Seats.machines`."""
        found = (self._machine(one) for one in self._instances())
        return tuple(
            sorted(
                (one for one in found if one is not None and one.label.workshop == workshop),
                key=lambda one: one.name,
            )
        )

    def start(self, name: str, listener: Listener) -> SeatMachine:
        """Start it, and wait until it is up; see `Seats.start`."""
        with self._servers.reaching(name):
            return self._start(name, listener)

    def _start(self, name: str, listener: Listener) -> SeatMachine:
        instance = self._settled(name)
        match power_of(instance):
            case Power.RUNNING:
                pass
            case Power.PAUSED:
                self._set_state(name, "unfreeze", timeout_s=inside.WAIT_S)
            case _:
                self._power_on(name)
        return self._up(name, listener)

    def stop(self, name: str) -> None:
        """Stop it, by force after a few seconds; see `Seats.stop`."""
        with self._servers.reaching(name):
            self._stop(name)

    def _stop(self, name: str) -> None:
        instance = self._settled(name)
        if instance["status"] == "Stopped":
            return
        try:
            if power_of(instance) is Power.PAUSED:
                self._set_state(name, "unfreeze", timeout_s=_STOP_S)
            self._set_state(name, "stop", timeout_s=_STOP_S)
        except ProviderError:
            self._stop_by_force(name)

    def remove(self, name: str) -> None:
        """Remove it, whatever its state; see `Seats.remove`."""
        self.client.ref(name)
        with self._servers.reaching(name):
            self._remove(name)
        self._servers.forget(name)

    def _remove(self, name: str) -> None:
        # The clone of a killed command may only be coming into being
        self._settle(name)
        try:
            self._ours(name)
        except NotFoundError:
            return
        self._delete(name)

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        stdin: str | bytes | Path | None = None,
        output: Path | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a command as root in a running machine; see `Seats.run`."""
        with self._servers.reaching(name):
            return keep_trying(
                lambda: self.exec_as_root(
                    name, argv, timeout_s=timeout_s, stdin=stdin, output=output, check=check
                ),
                despite=RemoteAwayError,
                every_s=0.2,
                tries=_TRIES,
                # The command was not begun: the next try is at another member
                again=lambda _: True,
            )

    def ssh_endpoint(self, name: str) -> SshEndpoint:
        """Return how this host logs in; see `Seats.ssh_endpoint`."""
        with self._servers.reaching(name):
            return self._endpoint(name)

    def _endpoint(self, name: str) -> SshEndpoint:
        instance = self._ours(name)
        if power_of(instance) is not Power.RUNNING:
            raise ProviderError(f"{name} does not run", details=str(instance["status"]))
        keys = self._read_host_keys(name)
        address = address_of(instance) if self.place.is_local else None
        if address is not None and ssh_port_is_open(address):
            return SshEndpoint(inside.LOGIN_USER, address, 22, keys)
        return SshEndpoint(inside.LOGIN_USER, name, 22, keys, self.proxy_command(name))

    def uses(self, workshop: str) -> Mapping[str, SeatUse]:
        """Say what the running machines use; see `Seats.uses`."""
        return self._uses.now(workshop)

    def use_of(self, name: str) -> SeatUse | None:
        """Say what one machine uses at this very moment; see `Seats.use_of`."""
        with self._servers.reaching(name):
            return self._uses.of(name)

    def clear(self, workshop: str) -> None:
        """Remove replicas, the network, its rules, and copies of images; see `Seats.clear`."""
        for one in self._replicas.replicas(workshop):
            # `left` names those on a member that is away
            with suppress(MemberLostError):
                self._replicas.remove(one.name)
        self._network.clear(workshop)
        self._copies.clear(self._spared(workshop))

    def left(self, workshop: str) -> tuple[str, ...]:
        """Name all that is still there of a workshop; see `Seats.left`."""
        machines = (f"instance {one.name}" for one in self.machines(workshop))
        copies = (f"image {one}" for one in self._copies.copies(self._spared(workshop)))
        replicas = (f"replica {one.name}" for one in self._replicas.replicas(workshop))
        return (*machines, *replicas, *self._network.left(workshop), *copies)

    def _spared(self, workshop: str) -> frozenset[str]:
        """The images that machines of other workshops were made from."""
        return images_of_others(self._instances(), workshop, WORKSHOP)

    def _instances(self) -> list[dict[str, Any]]:
        deep = {"recursion": "1"}
        return list(self.client.query("GET", api_path("instances"), parameters=deep))

    def _image(self, wish: SeatWish) -> dict[str, Any]:
        name = self.images(wish.image_key).get(wish.member)
        for one in self._instances():
            if one["name"] == name:
                return one
        raise ProviderError(
            f"{wish.member} has no complete baked image {wish.image_key} for {wish.name}",
            hint="sandbox workshop up bakes it again",
        )

    def _clone(self, wish: SeatWish, image: dict[str, Any], listener: Listener) -> None:
        body = seat_body(wish, image, self.place)
        target = self._servers.target(wish.member)
        path = api_path("instances")
        listener(StepOutput(wish.name, "cloning"))
        self.client.query("POST", path, body, parameters=target, timeout_s=_CREATE_S)
        self._network.give_address(wish.name, wish.label.workshop)

    def _started(
        self, wish: SeatWish, listener: Listener, furnishing: Furnishing | None
    ) -> SeatMachine:
        listener(StepOutput(wish.name, "starting"))
        self._power_on(wish.name)
        if furnishing is None:
            made = self._up(wish.name, listener)
        else:
            with ThreadPoolExecutor(max_workers=1) as one:
                machine = self._known(wish.name)
                rest = one.submit(copy_context().run, furnishing.meanwhile, machine)
                made = self._up(wish.name, listener)
                furnishing.when_up(made)
                rest.result()
        # Only to come up does it have one more: its servers start side by side
        path = api_path("instances", wish.name)
        self.client.query("PATCH", path, {"config": {CPUS: str(wish.cpus)}})
        return made

    def _up(self, name: str, listener: Listener) -> SeatMachine:
        """Wait until it is up, and see that it has the address that its rules are for."""
        instance = self._ours(name)
        key = str(config_of(instance).get(AUTHORIZED_KEY) or "")
        ready = self._wait_ready(name, key, listener)
        say_ready(name, ready, listener)
        if ready.address != address_of(instance):
            raise ProviderError(
                f"{name} has another address than it was given",
                details=f"{ready.address}, not {address_of(instance)}",
                hint="does the image set an address of its own?",
            )
        return self._known(name)

    def _known(self, name: str) -> SeatMachine:
        made = self._machine(self._ours(name))
        if made is None:
            raise ProviderError(f"{name} has lost the labels of its seat")
        return made

    def _machine(self, instance: dict[str, Any]) -> SeatMachine | None:
        label = label_of(instance)
        if label is None:
            return None
        return SeatMachine(
            name=str(instance["name"]),
            label=label,
            member=self._servers.member_of(instance),
            power=power_of(instance),
            upstreams=self._servers.upstreams(instance),
        )

    def _ours(self, name: str) -> dict[str, Any]:
        self.client.ref(name)
        instance = dict(self.client.query("GET", api_path("instances", name)))
        if not is_seat(instance):
            raise ProviderError(
                f"the Incus instance {name} is no machine of a seat; it is left alone",
                hint="give the workshop another name",
            )
        return instance

    def _host_keys_back(self, name: str) -> str:
        return f"sandbox workshop reset {self._words(name)}"

    def _ways_out(self, name: str) -> tuple[str, str]:
        again = f"make it again: `sandbox workshop reset {self._words(name)}`"
        return again, again

    def _words(self, name: str) -> str:
        """The workshop and the seat of a machine, as commands take them."""
        with suppress(SandboxError):
            if (label := label_of(self._ours(name))) is not None:
                return f"{label.workshop} {label.seat}"
        return "NAME SEAT"
