"""A plan that asks for everything, a machine that is just so, and how to doctor it."""

import dataclasses
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sandbox.checks.check import CannotLook, Look
from sandbox.checks.inspection import FileMode, Inspection, Login
from sandbox.checks.live import RstudioRun, Seen
from sandbox.checks.safe import fingerprint
from sandbox.checks.shiny_page import ShinyPage
from sandbox.checks.shiny_session import SessionOutcome
from sandbox.checks.web import NoAnswer, WebAnswer
from sandbox.facts.facts import Facts, ProbeRun
from sandbox.facts.part import ListPart
from sandbox.facts.r_view import Graphics, L10n, PackageLoad, RLimit, RLimits, RPackage, RView
from sandbox.facts.subjects.accounts import Account
from sandbox.facts.subjects.address_space import AddressSpace
from sandbox.facts.subjects.certificates import LocalCertificates
from sandbox.facts.subjects.cleaning import Cleaner, Cleaners
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.locale import SystemLocale
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.name_lookup import HostName, HostNames, Resolver
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.ports import ListeningPort
from sandbox.facts.subjects.r import RInstallation
from sandbox.facts.subjects.service_accounts import ServiceAccount, ServiceAccounts
from sandbox.facts.subjects.services import SystemService
from sandbox.facts.subjects.shiny import SeenShinyServer, ShinyListen
from sandbox.facts.subjects.ssh import AuthorizedKey, SshDaemon
from sandbox.facts.subjects.timezone import Timezone
from sandbox.facts.subjects.tmp_folder import TmpFolder
from sandbox.facts.subjects.zoneinfo import RZones, Zoneinfo
from sandbox.plan import Plan, PlannedApp
from sandbox.spec import models
from sandbox.spec.r import R, RPackages
from tests.unit.changed_facts import with_named
from tests.unit.factories import shiny_plan

OWN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4b0Vg6d7i3o0n0pXqv7yq1o2mM3f4c5d6e7f8g9h0i own"
ANNAS_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK5c1Wh7e8j4p1o1qYrw8zr2p3nN4g5d6e7f8g9h0i1j anna"


def full_plan() -> Plan:
    """Shiny, two apps, a person, and a value for everything that a box may say."""
    plan = shiny_plan()
    system = models.System(
        timezone="Europe/Vienna",
        locale="en_US.UTF-8",
        packages=("pandoc",),
        environment={"OMP_NUM_THREADS": "1"},
        limits=models.Limits(nofile=16384, nproc=4096),
    )
    r = R(
        version="4.2",
        blas="openblas",
        options={"digits": 7, "scipen": 1.5, "OutDec": ",", "warnPartialMatchDollar": True},
        repos={"CRAN": "https://cran.example.org"},
        packages=RPackages(names=("shiny", "plumber")),
    )
    anna = models.User(name="anna", groups=("analysts",), sudo=False, ssh_keys=(ANNAS_KEY,))
    apps = (*plan.apps, PlannedApp(name="report", path=Path("/boxes/apps/report"), sha256="1" * 64))
    return plan.model_copy(update={"system": system, "r": r, "users": (anna,), "apps": apps})


def _view(seen_by: str, *, loads: bool) -> RView:
    packages = tuple(
        RPackage(name=name, version="1.7.4", library="/usr/lib/R/site-library", built="4.2.1")
        for name in ("shiny", "plumber")
    )
    view = RView(
        seen_by="shiny" if seen_by == "shiny" else "login",
        how="worker" if seen_by == "shiny" else "login",
        user="shiny" if seen_by == "shiny" else "sandbox",
        working_dir="/",
        version_string="R version 4.2.2 Patched (2022-11-10 r83330)",
        version="4.2.2",
        home="/usr/lib/R",
        locale={
            "LC_CTYPE": "en_US.UTF-8",
            "LC_COLLATE": "en_US.utf8",
            "LC_TIME": "en_US.UTF-8",
            "LC_MONETARY": "en_US.UTF-8",
            "LC_MESSAGES": "en_US.UTF-8",
            "LC_NUMERIC": "C",
        },
        l10n=L10n(multibyte=True, utf8=True, latin1=False),
        timezone="Europe/Vienna",
        tz_variable=None,
        environment={"OMP_NUM_THREADS": "1"},
        capabilities={"png": True},
        external_software={"BLAS": "/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3"},
        la_library="/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.21.so",
        la_version="3.9.0",
        rng_kind=("Mersenne-Twister", "Inversion", "Rejection"),
        repos={"CRAN": "https://cran.example.org/"},
        options={
            "digits": "7L",
            "scipen": "1.5",
            "OutDec": '","',
            "warnPartialMatchDollar": "TRUE",
        },
        lib_paths=("/usr/lib/R/site-library",),
        packages=packages,
        umask="0022",
        limits=RLimits(
            nofile=RLimit(soft=16384, hard=16384),
            nproc=RLimit(soft=4096, hard=4096),
        ),
        tempdir="/tmp/RtmpX",
        tempdir_exec=True,
        sort_probe=("a", "A", "b", "B"),
        graphics=Graphics(png_written=True, real_glyphs=True),
        loads=tuple(PackageLoad(name=one.name, ok=True, version="1.7.4") for one in packages)
        if loads
        else (),
    )
    return view.with_parts(RZones(tzdir="", known=True), AddressSpace(soft_bytes=None))


def _facts() -> Facts:
    probe = ProbeRun(user="sandbox", privileged=True, taken_at="2026-01-01T00:00:00Z")
    return with_named(
        Facts(probe=probe, parts=()).with_parts(*_surroundings()),
        identity=Identity(hostname="shiny"),
        os=Os(
            id="debian", version="12", codename="bookworm", name="Debian", kernel="6", arch="x86_64"
        ),
        locale=SystemLocale(settings={"LANG": "en_US.UTF-8"}, available=("C", "en_US.utf8")),
        timezone=Timezone(
            name="Europe/Vienna",
            localtime_target="/usr/share/zoneinfo/Europe/Vienna",
            localtime_is_symlink=True,
            etc_timezone="Europe/Vienna",
        ),
        machine=MachineSize(
            cpus=1, memory_mb=512, disk_mb=4096, disk_free_mb=2048, tmp_mount_options=("rw",)
        ),
        r=(
            RInstallation(
                home="/usr/lib/R",
                version="4.2.2",
                found_as=("/usr/bin/R",),
                on_path=True,
                views=(_view("login", loads=False), _view("shiny", loads=True)),
            ),
        ),
        unresolved_objects=(),
        services=(_service("ssh"), _service("shiny-server")),
        ports=(
            _port("0.0.0.0", 22, "sshd"),
            _port("::", 3838, "shiny-server"),
            _port("127.0.0.1", 39045, "R"),
            ListeningPort(protocol="udp", address="0.0.0.0", port=68, process="dhclient", pid=7),
        ),
        users=(
            _account("root", 0, sudo=True),
            _account("sandbox", 1000, sudo=True),
            _account("anna", 1001, sudo=False, groups=("anna", "analysts")),
        ),
        authorized_keys=(_key("sandbox", OWN_KEY), _key("anna", ANNAS_KEY)),
        sshd=SshDaemon(
            password_authentication=False,
            permit_root_login="prohibit-password",
            permit_empty_passwords=False,
            kbd_interactive_authentication=False,
            ports=(22,),
        ),
        shiny_server=SeenShinyServer(
            version="1.5.20",
            config_path="/etc/shiny-server/shiny-server.conf",
            config_target="/etc/shiny-server/default.config",
            run_as=("shiny",),
            listens=(ShinyListen(port=3838, address=None),),
            site_dirs=("/srv/shiny-server",),
            app_dirs=(),
            log_dirs=("/var/log/shiny-server",),
        ),
        system_packages=(),
        configs=(),
        user_libraries=(),
    )


def _surroundings() -> tuple[BaseModel, ...]:
    return (
        Zoneinfo(place="/usr/share/zoneinfo", known=True),
        TmpFolder(mode="1777", owner="root"),
        LocalCertificates(()),
        Cleaners((Cleaner(name="tmpfiles /tmp", when="10d"),)),
        HostNames((HostName(name="localhost", address="127.0.0.1"),)),
        Resolver(lookup="files dns", nameservers=("127.0.0.53",), search=(), options=()),
        ServiceAccounts((ServiceAccount(unit="ssh.service", user="root", umask="0022"),)),
    )


def _service(name: str) -> SystemService:
    return SystemService(
        name=f"{name}.service",
        load="loaded",
        active="active",
        sub="running",
        enabled="enabled",
        restart="always",
        main_pid=1,
    )


def _port(address: str, port: int, process: str) -> ListeningPort:
    return ListeningPort(protocol="tcp", address=address, port=port, process=process, pid=1)


def stranger(address: str) -> ListeningPort:
    """A socket that no plan names."""
    return _port(address, 4444, "nc")


def _account(name: str, uid: int, *, sudo: bool, groups: tuple[str, ...] = ()) -> Account:
    return Account(
        name=name,
        uid=uid,
        gid=uid,
        home=f"/home/{name}",
        shell="/bin/bash",
        groups=groups or (name,),
        password="locked",
        sudo=sudo,
    )


def _key(user: str, line: str) -> AuthorizedKey:
    return AuthorizedKey(
        user=user,
        type="ssh-ed25519",
        fingerprint=fingerprint(line),
        comment=line.rsplit(maxsplit=1)[-1],
        vagrant_insecure=False,
    )


def good() -> Seen:
    """A machine that is just what `full_plan` asks for."""
    return Seen(
        facts=_facts(),
        inspection=Inspection(
            system_state="running",
            failed_units=(),
            files=(
                FileMode("/etc/shadow", 0o640, "root", "regular file"),
                FileMode("/etc/R/Rprofile.site", 0o644, "root", "regular file"),
                FileMode("/var/log/shiny-server", 0o755, "shiny", "directory"),
            ),
            packages=dict.fromkeys(("pandoc", "r-base-core", "r-cran-shiny", "shiny-server"), "1"),
            half_installed={},
            logins=(
                Login("root", 0, "/bin/bash", "locked"),
                Login("daemon", 1, "/usr/sbin/nologin", "locked"),
                Login("sandbox", 1000, "/bin/bash", "locked"),
                Login("anna", 1001, "/bin/bash", "locked"),
            ),
            disk_used_percent=40,
            disk_free_mb=2048,
            inodes_used_percent=None,
        ),
        own_key=fingerprint(OWN_KEY),
    )


def doctored(seen: Seen, path: str, value: object) -> Seen:
    """`seen` with another value at `path`: `facts.r.0.views.1.timezone`."""
    changed = _changed(seen, path.split("."), value)
    assert isinstance(changed, Seen)
    return changed


def _changed(thing: Any, path: list[str], value: object) -> Any:  # noqa: PLR0911
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(thing, Facts):
        return with_named(thing, **{head: _changed(getattr(thing, head), rest, value)})
    if isinstance(thing, ListPart):
        return _changed(thing.root, path, value)
    if isinstance(thing, tuple):
        at = int(head)
        return (*thing[:at], _changed(thing[at], rest, value), *thing[at + 1 :])
    if isinstance(thing, dict):
        return {**thing, head: _changed(thing.get(head), rest, value)}
    inner = _changed(getattr(thing, head), rest, value)
    if isinstance(thing, BaseModel):
        assert head in type(thing).model_fields, head
        return thing.model_copy(update={head: inner})
    return dataclasses.replace(thing, **{head: inner})


SHINY_HTML = """<html><head><title>Old Faithful</title>
<script src="shiny-javascript-1.7.4/shiny.min.js"></script></head>
<body><input class="js-range-slider" id="bins" data-from="30" data-data-type="number"/>
<div class="shiny-plot-output html-fill-item" id="plot"></div></body></html>"""


def page(body: str = SHINY_HTML, *, status: int = 200, elapsed_s: float = 0.1) -> WebAnswer:
    """An answer of the web server."""
    return WebAnswer("http://machine/", status, "text/html; charset=utf-8", body, elapsed_s)


COMPUTED = SessionOutcome(ok=True, summary="computed plot", elapsed_s=0.1)


@dataclasses.dataclass
class FakeMachine:
    """Answers as it is told, and takes down what it was asked."""

    answers: list[WebAnswer | NoAnswer] = dataclasses.field(default_factory=lambda: [page()])
    """One after the other; the last stays."""
    outcome: SessionOutcome = COMPUTED
    output: list[str] = dataclasses.field(default_factory=list)
    """Of the scripts that run as root, in turn; then there is no more ssh."""
    asked: list[str] = dataclasses.field(default_factory=list)
    emulated: bool = False
    first_pages: dict[str, float] = dataclasses.field(default_factory=dict)
    websocket_status: int = 101
    rstudio: RstudioRun = dataclasses.field(default_factory=RstudioRun)
    address: str = "http://192.0.2.7:8787"

    early: Look | None = None

    def early_restart(self) -> Look | None:
        return self.early

    def address_of(self, server: str) -> str:
        self.asked.append(f"address of {server}")
        return self.address

    def get(self, path: str, *, timeout_s: float = 30.0) -> WebAnswer:
        self.asked.append(path)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    def session(self, path: str, page: ShinyPage, *, timeout_s: float = 30.0) -> SessionOutcome:
        self.asked.append(f"session {path}")
        return self.outcome

    def websocket(self, path: str, *, timeout_s: float = 30.0) -> int:
        self.asked.append(f"websocket {path}")
        return self.websocket_status

    def through(self, server: str) -> "FakeMachine":
        self.asked.append(f"through {server}")
        return self

    def sudo(self, script: str) -> str:
        self.asked.append(script)
        if not self.output:
            raise CannotLook("no more ssh")
        return self.output.pop(0)
