"""Close the DNS of this host's other networks to a workshop's seats.

Incus lets each of its networks ask port 53 of every address of the server, before any rule of ours
counts. The DNS of our network for sandboxes would tell a seat their names. Only root of this host
can close that, with a small table of nftables beside Incus's own.
"""

from pathlib import Path
from typing import Final

from sandbox.errors import HostError, ProviderError
from sandbox.host.facts import find_command
from sandbox.host.privilege import RootAccess, passwordless_root, run_as_root
from sandbox.run import run

_LINKS: Final = Path("/sys/class/net")


def close_dns(network: str, gateway: str) -> bool:
    """Let seats ask the DNS of their own network alone; tell whether that could be done.

    Args:
        network: the link of the workshop's network.
        gateway: its address.

    Raises:
        ProviderError: nftables refused the rule.
    """
    found = _nft() if (_LINKS / network).exists() else None
    if found is None:
        return False
    root, nft = found
    try:
        run_as_root(root, (nft, "-f", "-"), stdin=guard_rules(network, gateway))
    except HostError as error:
        raise ProviderError(
            f"the DNS of this host's other networks cannot be closed to {network}",
            details=error.details or error.message,
            hint="does `nft list ruleset` work as root?",
        ) from error
    return True


def open_dns(network: str) -> None:
    """Remove the rule; it may be gone already.

    Raises:
        ProviderError: nftables refused.
    """
    found = _nft()
    if found is None or not has_guard(network):
        return
    root, nft = found
    try:
        run_as_root(root, (nft, "delete", "table", "inet", table_name(network)))
    except HostError as error:
        raise ProviderError(
            f"the rule for {network} cannot be removed", details=error.details or error.message
        ) from error


def has_guard(network: str) -> bool:
    """Tell whether the rule is there; False also for a user who may not look."""
    found = _nft()
    if found is None:
        return False
    root, nft = found
    words = root.argv(nft, "list", "table", "inet", table_name(network))
    return run(words, timeout_s=10, check=False).returncode == 0


def table_name(network: str) -> str:
    """Return the name of the table for a network: a word of nftables has no dashes."""
    return f"sandbox_{network.replace('-', '_')}"


def guard_rules(network: str, gateway: str) -> str:
    """Write the table, in place of one that is there."""
    table = f"table inet {table_name(network)}"
    return f"""{table}
delete {table}
{table} {{
  chain in {{
    type filter hook input priority filter - 1; policy accept;
    iifname "{network}" meta l4proto {{ tcp, udp }} th dport 53 ip daddr != {gateway} drop
  }}
}}
"""


def _nft() -> tuple[RootAccess, str] | None:
    """The program, and how it is run as root; None where one of them is not to be had."""
    nft = find_command("nft")
    root = passwordless_root() if nft is not None else None
    return (root, nft) if root is not None and nft is not None else None
