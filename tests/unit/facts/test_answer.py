from collections.abc import Callable

import pytest

from sandbox.facts.answer import parse_answer
from sandbox.facts.facts import Facts, NotSeen
from sandbox.facts.r_view import RLimit
from sandbox.facts.subjects.accounts import Account, Accounts
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.locale import SystemLocale
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.objects import UnresolvedObjects
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.ports import ListeningPort, Ports, parse_ports
from sandbox.facts.subjects.r import RInstallations, r_view
from sandbox.facts.subjects.services import SystemServices
from sandbox.facts.subjects.shiny import SeenShinyServer, ShinyListen, parse_shiny_server
from sandbox.facts.subjects.ssh import AuthorizedKeys, SshDaemon
from sandbox.facts.subjects.timezone import Timezone
from sandbox.probe.frame import Frame, Section

Recorded = Callable[[str], Facts]


def _frame(*sections: Section) -> Frame:
    return Frame("BOUNDARY", sections)


def _section(name: str, text: str, *args: str) -> Section:
    return Section(name, args, tuple(text.split("\n")))


@pytest.mark.parametrize("name", ["worker", "plain", "broken"])
def test_facts_round_trip_through_json(facts_of: Recorded, name: str) -> None:
    facts = facts_of(name)
    assert Facts.model_validate_json(facts.model_dump_json()) == facts


def test_the_system(facts_of: Recorded) -> None:
    facts = facts_of("worker")
    assert (facts[Os].id, facts[Os].version, facts[Os].codename) == ("debian", "12", "bookworm")
    assert (facts[Os].kernel, facts[Os].arch) == ("6.1.0-42-amd64", "x86_64")
    assert facts[SystemLocale].settings == {"LANG": "en_US.UTF-8"}
    assert facts[SystemLocale].available == ("C", "C.utf8", "POSIX", "en_US.utf8")
    assert (facts[Timezone].name, facts[Timezone].localtime_is_symlink) == ("Etc/UTC", True)
    assert (facts[MachineSize].cpus, facts[MachineSize].memory_mb) == (2, 24105)
    assert facts[MachineSize].disk_mb == 40960
    assert (facts.probe.user, facts.probe.privileged) == ("ops", True)
    assert facts[Identity].hostname == "box"
    assert len(facts[Identity].ssh_host_keys) == 3


def test_what_identifies_a_machine_stands_only_in_identity(facts_of: Recorded) -> None:
    facts = facts_of("worker")
    rest = facts.without(Identity).model_dump_json()
    machine_id = facts[Identity].machine_id
    assert machine_id is not None
    assert machine_id not in rest
    assert all(key.split()[1] not in rest for key in facts[Identity].ssh_host_keys)


def test_services(facts_of: Recorded) -> None:
    facts = facts_of("worker")
    shiny = facts[SystemServices].named("shiny-server")
    assert shiny is not None
    assert (shiny.active, shiny.enabled, shiny.restart) == ("active", "enabled", "no")
    assert shiny.main_pid == 10808
    assert facts[SystemServices].named("rstudio-server") is None
    names = [service.name for service in facts[SystemServices]]
    assert names == sorted(set(names))


def test_ports_of_ss(facts_of: Recorded) -> None:
    ports = {(p.protocol, p.address, p.port): p for p in facts_of("worker").get(Ports) or ()}
    assert ports["tcp", "::", 3838].process == "shiny-server"
    assert ports["tcp", "0.0.0.0", 22].pid == 106
    assert ports["udp", "0.0.0.0", 68].process == "dhclient"
    assert ports["tcp", "127.0.0.1", 41839].loopback
    assert not ports["tcp", "::", 22].loopback


def test_ports_of_the_kernel_where_there_is_no_ss() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"
    tcp = f"{head}\n   0: 0100007F:0F0E 00000000:0000 0A 0:0\n   1: 0100007F:1F90 0A:1 01 0:0"
    tcp6 = f"{head}\n   0: 00000000000000000000000001000000:0016 00:0 0A 0:0"
    ports = parse_ports(_frame(_section("proc-net-tcp", tcp), _section("proc-net-tcp6", tcp6)))
    assert ports == (
        ListeningPort(protocol="tcp", address="::1", port=22, process=None, pid=None),
        ListeningPort(protocol="tcp", address="127.0.0.1", port=3854, process=None, pid=None),
    )


def test_an_address_with_a_zone() -> None:
    line = "tcp LISTEN 0 128 [fe80::1]%eth0:546 [::]:*"
    found = parse_ports(_frame(_section("ss", line)))
    assert found is not None
    (port,) = found
    assert (port.address, port.port, port.process) == ("fe80::1%eth0", 546, None)


def test_users_as_root_sees_them(facts_of: Recorded) -> None:
    users = {user.name: user for user in facts_of("worker")[Accounts]}
    assert users["ops"] == Account(
        name="ops",
        uid=1000,
        gid=1000,
        home="/home/ops",
        shell="/bin/bash",
        groups=("ops",),
        password="locked",
        sudo=True,
    )
    assert (users["plain"].password, users["plain"].sudo) == ("set", False)
    assert users["shiny"].password == "locked"
    assert "daemon" not in users
    # A system account, but one without a password
    assert users["nobody"].password == "empty"


def test_users_as_others_see_them(facts_of: Recorded) -> None:
    facts = facts_of("plain")
    users = {user.name: user for user in facts[Accounts]}
    assert (users["ops"].password, users["ops"].sudo) == ("unknown", None)
    assert facts.get(SshDaemon) is None
    assert r_view(facts, "shiny") is None
    assert {one.what for one in facts.not_seen} >= {
        "passwords, sudo rights",
        "sshd settings",
        "R inside a Shiny app",
    }


def test_vagrants_key_is_known_behind_options_and_comments(facts_of: Recorded) -> None:
    keys = facts_of("worker")[AuthorizedKeys]
    assert [(key.user, key.vagrant_insecure) for key in keys] == [
        ("root", False),
        ("ops", False),
        ("ops", True),
        ("plain", False),
    ]
    assert keys[0].comment == "laptop"
    assert all(key.fingerprint.startswith("SHA256:") for key in keys)


def test_sshd(facts_of: Recorded) -> None:
    sshd = facts_of("worker").get(SshDaemon)
    assert sshd is not None
    assert sshd.password_authentication
    assert sshd.permit_root_login == "without-password"
    assert not sshd.permit_empty_passwords
    assert sshd.ports == (22,)


def test_shiny_server(facts_of: Recorded) -> None:
    shiny = facts_of("worker").get(SeenShinyServer)
    assert shiny is not None
    assert shiny.config_target == "/etc/shiny-server/default.config"
    assert (shiny.run_as, shiny.site_dirs) == (("shiny",), ("/srv/shiny-server",))
    assert shiny.listens == (ShinyListen(port=3838, address=None),)


def test_a_shiny_configuration_with_quotes_comments_and_several_servers() -> None:
    text = """
    run_as "shiny" backup; # run_as nobody;
    server { listen 3838 127.0.0.1; location /a{site_dir '/srv/my apps';log_dir /var/log/a;} }
    server{listen 80 *;location / { app_dir /srv/one; run_as :HOME_USER:; }}
    """
    shiny = parse_shiny_server(_frame(_section("shiny-server", text, "/etc/x.conf")))
    assert shiny is not None
    assert shiny.run_as == ("shiny", "backup", ":HOME_USER:")
    assert shiny.listens == (
        ShinyListen(port=3838, address="127.0.0.1"),
        ShinyListen(port=80, address=None),
    )
    assert shiny.site_dirs == ("/srv/my apps",)
    assert shiny.app_dirs == ("/srv/one",)
    assert shiny.config_target == "/etc/x.conf"


def test_system_packages(facts_of: Recorded) -> None:
    packages = {p.name: p.version for p in facts_of("worker").get(SystemPackages) or ()}
    assert packages["r-base-core"] == "4.2.2.20221110-2"
    assert packages["shiny-server"] == "1.5.20.1002-1"


@pytest.mark.parametrize(
    ("text", "name", "symlink"),
    [
        ("target\t/usr/share/zoneinfo/Europe/Vienna", "Europe/Vienna", True),
        ("target\t../usr/share/zoneinfo/Asia/Tokyo\netc-timezone\tEtc/UTC", "Asia/Tokyo", True),
        ("target\t/etc/tz\nresolved\t/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo", True),
        ("etc-timezone\tEurope/Vienna", "Europe/Vienna", False),
        ("", None, False),
    ],
)
def test_timezone(text: str, name: str | None, symlink: bool) -> None:
    facts = parse_answer(_frame(_section("localtime", text)))
    assert (facts[Timezone].name, facts[Timezone].localtime_is_symlink) == (name, symlink)


def test_an_empty_answer_claims_nothing() -> None:
    facts = parse_answer(_frame(_section("not-seen", "services\tsystemd does not run here")))
    assert facts[RInstallations] == ()
    assert facts.not_seen == (NotSeen(what="services", why="systemd does not run here"),)
    for part in ("services", "ports", "authorized_keys", "sshd", "shiny_server"):
        assert getattr(facts, part) is None, part
    assert facts.get(UnresolvedObjects) is None
    assert facts[MachineSize].cpus is None
    assert not facts.probe.privileged


def test_limits_of_a_worker_are_its_own(facts_of: Recorded) -> None:
    view = r_view(facts_of("worker"), "shiny")
    assert view is not None
    assert view.limits.nofile == RLimit(soft=4096, hard=8192)
    assert view.limits.nproc == RLimit(soft=900, hard=96365)
