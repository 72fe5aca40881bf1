"""Where the machines of seats are: on one server. What names a server is said here alone."""

from typing import Any

from sandbox.providers.incus.answer import environment_of
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.seat_request import address_of, ports_of


class SeatServers:
    """The one server of an Incus that is no cluster."""

    def __init__(self, client: IncusClient) -> None:
        self._client = client
        self._name = ""

    @property
    def name(self) -> str:
        """The server's name, as `members` gives it.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        if not self._name:
            environment = environment_of(self._client.query("GET", "/1.0"))
            self._name = str(environment.get("server_name") or self._client.place.remote)
        return self._name

    def target(self, member: str) -> dict[str, str]:
        """Return the parameters of a request that is for one server."""
        del member
        return {}

    def member_of(self, instance: dict[str, Any]) -> str:
        """Return the server that carries an instance."""
        del instance
        return self.name

    def upstreams(self, instance: dict[str, Any]) -> dict[int, str]:
        """Return how the proxy reaches the ports of a machine."""
        address = address_of(instance)
        return {port: f"{address}:{port}" for port in ports_of(instance)} if address else {}
