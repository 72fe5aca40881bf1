"""How names of machines are found: the table in /etc/hosts, and who is asked for the others."""

import re

from sandbox.facts.compare import Value
from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.part import FactsModel, FactsPart, ListPart
from sandbox.facts.shapes import Shape, rows
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.probe.readers import name, plain, row

_RESOLVER = re.compile(r"nameserver|search|domain|options|lookup")


class HostName(FactsModel):
    """A name in /etc/hosts."""

    name: str
    address: str


class HostNames(ListPart[HostName]):
    """The table, without the machine's own name."""


class Resolver(FactsPart):
    """Who is asked for names, and how."""

    lookup: str | None
    """As nsswitch.conf says: `files dns`."""
    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    """Domains that are tried behind a short name."""
    options: tuple[str, ...]


def _check_host(line: str) -> None:
    for text in row(line, "a name in /etc/hosts", least=2, most=2):
        plain(text, "a name in /etc/hosts")


def _check_resolver(line: str) -> None:
    key, value = row(line, "a setting of the resolver", least=2, most=2)
    name(key, "a setting of the resolver", pattern=_RESOLVER)
    plain(value, "a setting of the resolver")


def _parse_hosts(answer: ProbeAnswer) -> HostNames | None:
    section = answer.first("hosts")
    if section is None:
        return None
    found = [line.partition("\t") for line in section.lines if line]
    return HostNames(tuple(HostName(name=one, address=at) for one, _, at in found))


def _parse_resolver(answer: ProbeAnswer) -> Resolver | None:
    section = answer.first("resolver")
    if section is None:
        return None
    found: dict[str, list[str]] = {}
    for line in section.lines:
        key, _, value = line.partition("\t")
        found.setdefault(key, []).append(value)
    return Resolver(
        lookup=next(iter(found.get("lookup", ())), None),
        nameservers=tuple(found.get("nameserver", ())),
        search=(*found.get("search", ()), *found.get("domain", ())),
        options=tuple(found.get("options", ())),
    )


def _read_hosts(facts: Facts) -> Reading:
    return {"": frozenset(f"{one.name} = {one.address}" for one in facts[HostNames])}


def _read_resolver(facts: Facts) -> Reading:
    resolver = facts[Resolver]
    found: dict[str, Value] = {
        "search": frozenset(resolver.search),
        "options": frozenset(resolver.options),
    }
    if resolver.lookup is not None:
        found["lookup"] = frozenset({resolver.lookup})
    return found


def _read_nameservers(facts: Facts) -> Reading:
    return {"": frozenset(facts[Resolver].nameservers)}


HOSTS = Subject(
    name="hosts",
    rank=54,
    # Names and addresses of other machines stay there: they are told by their hashes
    takes="=host_name: localhost([.]localdomain)?|ip6-(localhost|loopback|localnet|mcastprefix"
    "|allnodes|allrouters|allhosts)\n"
    "=host_address: 127[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}|::1|fe00::0|ff0[0-9]::[0-9]\n",
    part=HostNames,
    sections={"hosts": Shape(rows(_check_host))},
    parse=_parse_hosts,
    kinds=(
        kind_of_machine(
            "system.hosts",
            Consequence.FAILS,
            145,
            title="names in /etc/hosts",
            how="set",
            why="a database or a proxy that only this table names is not found elsewhere",
            bug="duncs/clusterssh/issues/158",
            read=_read_hosts,
        ),
    ),
)
RESOLVER = Subject(
    name="resolver",
    rank=55,
    takes="=resolver: nameserver|search|domain|options|lookup\n"
    "=resolver_value: 127[.]0[.]0[.][0-9]{1,3}|::1"
    "|(ndots|timeout|attempts):[0-9]{1,3}|rotate|edns0|trust-ad|use-vc|inet6|no-aaaa"
    "|single-request|single-request-reopen|no-reload|no-check-names"
    "|((files|dns|myhostname|resolve|mymachines|mdns4|mdns4_minimal|mdns_minimal|wins|sss|ldap|nis"
    "|compat|db|\\[!?[A-Z]{3,12}=[a-z]{3,10}\\]) ?)+\n",
    part=Resolver,
    sections={"resolver": Shape(rows(_check_resolver))},
    parse=_parse_resolver,
    kinds=(
        kind_of_machine(
            "system.resolver",
            Consequence.FAILS,
            146,
            title="how names of machines are looked up",
            how="set",
            why="a short name of a server is found with one search domain and not with another",
            bug="moby/moby/issues/32093",
            read=_read_resolver,
        ),
        kind_of_machine(
            "system.nameservers",
            Consequence.SURROUNDINGS,
            50,
            title="the servers that are asked for names",
            how="set",
            why="names that only the company's own servers know are not found elsewhere",
            bug="moby/moby/issues/32093",
            read=_read_nameservers,
        ),
    ),
)
