"""Docker's firewall on a host with our bridge.

Its policy DROP for FORWARD can cut sandboxes off from the network (canonical/docker-snap#194).
"""

from dataclasses import dataclass

from sandbox.errors import CommandError
from sandbox.host.actions import Action, HostCommand
from sandbox.host.facts import find_command
from sandbox.host.journal import ChangeKind
from sandbox.host.privilege import RootAccess
from sandbox.providers.findings import Finding
from sandbox.providers.incus.host_facts import IncusHost
from sandbox.run import run


@dataclass(frozen=True)
class DockerRules:
    """The rules of iptables, where Docker is; the chains as `iptables -S` prints them."""

    forward: str
    docker_user: str

    def blocks(self, bridge: str) -> bool:
        """Tell whether packets from or to `bridge` are dropped."""
        drops = "-P FORWARD DROP" in self.forward.splitlines()
        rules = self.docker_user.splitlines()
        passes = all(
            any(f" {flag} {bridge} " in f"{rule} " and "ACCEPT" in rule for rule in rules)
            for flag in ("-i", "-o")
        )
        return drops and not passes


def has_docker(host: IncusHost) -> bool:
    """Tell whether Docker's bridge is up here (without it, Docker has no rules either)."""
    return '"docker0"' in host.addresses_json


def docker_rules(host: IncusHost, root: RootAccess | None = None) -> DockerRules | None:
    """Read the rules; None without Docker, and without root (only root may read them)."""
    if not has_docker(host) or (root is None and not host.is_root):
        return None
    program = find_command("iptables")
    if program is None:
        return None
    chains = []
    for chain in ("FORWARD", "DOCKER-USER"):
        words = (root or RootAccess()).argv(program, "-w", "-S", chain)
        try:
            done = run(words, timeout_s=10, check=False)
        except CommandError:
            return None
        chains.append(done.stdout)
    return DockerRules(*chains)


def pass_rules(bridge: str, *, verb: str) -> tuple[HostCommand, ...]:
    """Return the commands that let our bridge through (`-I`) or undo that (`-D`)."""
    reply = ("-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED")
    return (
        HostCommand(("iptables", "-w", verb, "DOCKER-USER", "-i", bridge, "-j", "ACCEPT")),
        HostCommand(("iptables", "-w", verb, "DOCKER-USER", "-o", bridge, *reply, "-j", "ACCEPT")),
    )


def plan_firewall(bridge: str, rules: DockerRules | None) -> list[Action]:
    """Let our bridge through Docker's firewall, where that blocks it."""
    if rules is None or not rules.blocks(bridge):
        return []
    title = f"let {bridge} through Docker's firewall (until the next boot; then run this again)"
    return [Action(ChangeKind.FIREWALL, title, pass_rules(bridge, verb="-I"), (bridge,))]


def docker_finding(bridge: str, host: IncusHost, rules: DockerRules | None) -> Finding:
    """Judge the effect of Docker's firewall on sandboxes here."""
    title = "Docker's firewall lets sandboxes through"
    if not has_docker(host):
        return Finding(ok=True, title=title, detail="no Docker network on this host")
    if rules is None:
        return Finding(
            ok=False,
            warning=True,
            title=title,
            detail="Docker is here, and only root can read its rules",
            fix="sudo sandbox doctor",
        )
    if rules.blocks(bridge):
        return Finding(
            ok=False,
            title=title,
            detail="Docker set the policy of FORWARD to DROP: sandboxes have no network",
            fix="sandbox host setup",
        )
    return Finding(ok=True, title=title, detail="Docker is here, and does not stand in the way")
