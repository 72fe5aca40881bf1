"""What the system lays under R: rights, holds, time zones, names, cleaning. Read, and compared."""

import pytest

from sandbox.facts import registry
from sandbox.facts.compare import Value
from sandbox.facts.diff import compare
from sandbox.facts.differences import DiffOutcome, Selection
from sandbox.facts.facts import Facts
from sandbox.facts.kind import CannotReadError, Reading, read_machine, read_view
from sandbox.facts.r_view import RView
from sandbox.facts.sides import Side
from sandbox.facts.subjects.address_space import AddressSpace
from sandbox.facts.subjects.certificates import CaBundle
from sandbox.facts.subjects.name_lookup import Resolver
from sandbox.facts.subjects.zoneinfo import RZones
from tests.unit.checks.samples import good
from tests.unit.facts.test_setup_answer import facts

CERTIFICATES = ("@certificates|/etc/ssl/certs/ca-certificates.crt|ab12|140", "company.crt")


def read(kind_id: str, found: Facts) -> Reading:
    (kind,) = [one for one in registry.kinds() if one.id == kind_id]
    return read_machine(kind, found)


@pytest.mark.parametrize(
    ("kind", "lines", "reading"),
    [
        (
            "system.tmp-rights",
            ("@tmp-folder", "tmp_mode\t1777", "tmp_owner\troot"),
            {"": "1777 root"},
        ),
        ("system.tmp-rights", ("@tmp-folder", "tmp_mode\t755", "tmp_owner\tbob"), {"": "755 bob"}),
        (
            "held",
            (
                "@held",
                "r-base-core\thold",
                "all-packages\trelease n=bookworm priority 900",
                "r-base-core\tversion 4.2.* priority 1001",
            ),
            {
                "all-packages": "release n=bookworm priority 900",
                "r-base-core": "hold; version 4.2.* priority 1001",
            },
        ),
        ("held", ("@held",), {}),
        (
            "system.zoneinfo",
            ("@zoneinfo", "zones_at\t/usr/share/zoneinfo", "zones_known\tyes"),
            {"": "/usr/share/zoneinfo"},
        ),
        ("system.zoneinfo", ("@zoneinfo", "zones_known\tno"), {"": "missing (without zones)"}),
        (
            "openssl",
            ("@openssl", "CipherString\tDEFAULT@SECLEVEL=1", "MinProtocol\tTLSv1"),
            {
                "CipherString": "DEFAULT@SECLEVEL=1",
                "Ciphersuites": "as OpenSSL was built",
                "MaxProtocol": "as OpenSSL was built",
                "MinProtocol": "TLSv1",
            },
        ),
        (
            "system.hosts",
            ("@hosts", "localhost\t127.0.0.1", "db\t10.0.0.7"),
            {"": frozenset({"localhost = 127.0.0.1", "db = 10.0.0.7"})},
        ),
        (
            "system.resolver",
            ("@resolver", "search\texample.org", "options\tndots:2", "lookup\tfiles dns"),
            {
                "search": frozenset({"example.org"}),
                "options": frozenset({"ndots:2"}),
                "lookup": frozenset({"files dns"}),
            },
        ),
        (
            "system.nameservers",
            ("@resolver", "nameserver\t127.0.0.53", "nameserver\t10.0.0.1"),
            {"": frozenset({"127.0.0.53", "10.0.0.1"})},
        ),
        (
            "cleaning",
            # Of two rules for a folder the first counts
            ("@cleaning", "tmpfiles /tmp\t10d", "tmpfiles /tmp\t1d", "tmpreaper\tdaily"),
            {"tmpfiles /tmp": "10d", "tmpreaper": "daily"},
        ),
        (
            "service-account",
            ("@service-accounts", "shiny-server.service\tshiny\t0027", "dbus.service\troot\t0022"),
            {"shiny-server": "shiny, umask 0027"},
        ),
        (
            "certificates",
            CERTIFICATES,
            {"added here": frozenset({"company.crt"}), "trusted": "140 (ab12)"},
        ),
        (
            "certificate-names",
            (*CERTIFICATES, "@certificate-subjects", "CN=Company Root"),
            {"": frozenset({"CN=Company Root"})},
        ),
    ],
)
def test_it_is_read(kind: str, lines: tuple[str, ...], reading: dict[str, Value]) -> None:
    assert read(kind, facts(*lines)) == reading


@pytest.mark.parametrize(
    "lines",
    [
        ("@tmp-folder", "tmp_mode\trwx"),
        ("@held", "r-base-core"),
        ("@zoneinfo", "zones_known\tperhaps"),
        ("@openssl", "Password\tx"),
        ("@resolver", "sortlist\t10.0.0.0"),
        ("@service-accounts", "shiny-server.service\tshiny\tnone"),
    ],
)
def test_what_the_probe_does_not_write_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match=lines[0][1:]):
        facts(*lines)


def test_without_openssl_nobody_knows_whom_certificates_name() -> None:
    found = facts(*CERTIFICATES)
    assert "company.crt" in found[CaBundle].local
    with pytest.raises(CannotReadError, match="openssl"):
        read("certificate-names", found)


def test_a_domain_to_search_in_may_be_given_in_two_ways() -> None:
    found = facts("@resolver", "domain\texample.org", "search\texample.com")
    assert found[Resolver].search == ("example.com", "example.org")


def _view(*parts: object) -> RView:
    view = good().facts.model_dump()["r"][0]["views"][0]
    return RView.model_validate(view).with_parts(*parts)  # type: ignore[arg-type]


def _read_r(kind_id: str, view: RView) -> Reading:
    (kind,) = [one for one in registry.kinds() if one.id == kind_id]
    return read_view(kind, good().facts, view)


def test_the_limit_of_the_address_space() -> None:
    kind = "r.address-space"
    assert _read_r(kind, _view(AddressSpace(soft_bytes=None))) == {"": float("inf")}
    assert _read_r(kind, _view(AddressSpace(soft_bytes=1 << 33))) == {"": float(1 << 33)}


def test_the_time_zones_of_r() -> None:
    kind = "r.zoneinfo"
    assert _read_r(kind, _view(RZones(tzdir="", known=True))) == {"": "found"}
    moved = _view(RZones(tzdir="/opt/zoneinfo", known=False))
    assert _read_r(kind, moved) == {"": "not found by TZDIR=/opt/zoneinfo"}


def test_a_package_that_is_held_on_one_side_only_is_a_difference() -> None:
    a, b = facts("@held", "r-base-core\thold"), facts("@held")
    found = compare(Side("prod", a), Side("box", b), Selection(only=("held",)))
    (one,) = found.facts
    assert (one.id, one.a, one.b) == ("held.r-base-core", "hold", None)
    assert one.outcome is DiffOutcome.DIFFERS


def test_facts_of_before_do_not_know_it_and_say_so() -> None:
    older = Facts.model_validate_json(good().facts.model_dump_json())
    found = compare(
        Side("prod", older),
        Side("box", facts("@held")),
        Selection(only=("held", "system.tmp-rights")),
    )
    assert {one.outcome for one in found.facts} <= {
        DiffOutcome.UNREADABLE,
        DiffOutcome.NOT_COMPARABLE,
    }
