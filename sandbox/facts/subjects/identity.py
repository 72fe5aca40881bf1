"""Which machine it is: what must differ between two machines."""

from sandbox.facts.part import FactsPart
from sandbox.facts.shapes import Shape, check_pairs
from sandbox.facts.subject import ProbeAnswer, Subject
from sandbox.facts.subjects.ssh import check_public_key, public_key
from sandbox.probe.frame import Section
from sandbox.probe.readers import MalformedError, name, plain


class Identity(FactsPart):
    """What makes this machine this one; kept apart, because it must differ between two machines."""

    hostname: str
    machine_id: str | None = None
    ssh_host_keys: tuple[str, ...] = ()
    """Fingerprints, `ssh-ed25519 SHA256:…`, sorted."""


def _check(section: Section) -> None:
    found = check_pairs(
        section,
        {
            "hostname": lambda text: name(text, "the name of the host"),
            "machine-id": lambda text: plain(text, "the machine's id"),
            "host-key": check_public_key,
        },
        spill="host-key",
    )
    if "hostname" not in found:
        raise MalformedError("the name of the host")


def _parse(answer: ProbeAnswer) -> Identity:
    section = answer.first("identity")
    pairs = list(section.pairs()) if section is not None else []
    # The file of a key that nobody uses may be empty
    keys = [public_key(value) for name, value in pairs if name == "host-key" and value.strip()]
    plain = dict(pairs)
    return Identity(
        hostname=plain.get("hostname", ""),
        machine_id=plain.get("machine-id") or None,
        ssh_host_keys=tuple(sorted(f"{kind} {print_}" for kind, print_, _ in keys)),
    )


_TAKES = "host: hostname\n"
IDENTITY = Subject(
    name="identity",
    rank=10,
    takes=_TAKES,
    part=Identity,
    required=True,
    sections={"identity": Shape(_check, required=True, not_empty=True)},
    parse=_parse,
)
