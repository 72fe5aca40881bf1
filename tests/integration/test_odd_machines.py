"""Odd bytes, endless lines, broken tables: each is lost alone and named, and all else is read."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sandbox.facts.answer import facts_of
from sandbox.facts.collect import compose
from sandbox.facts.facts import Facts
from sandbox.facts.subjects.accounts import Accounts
from sandbox.facts.subjects.certificates import CaBundle
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.fonts import Fonts
from sandbox.facts.subjects.locale import SystemLocale
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.ports import Ports
from sandbox.facts.subjects.r import r_view
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.facts.subjects.user_libraries import UserLibraries
from sandbox.probe.script import CLOSED, Taking
from tests.conftest import cannot_run

LONG = b"x" * 1_000_000
RELEASE = b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n'
SOCKET = b'tcp LISTEN 0 5 0.0.0.0:3838 0.0.0.0:* users:(("node",pid=7,fd=9))\n'
PACKAGE = b"ii \tr-base-core\t4.2.2-1\toptional\n"
PERSON = b"root:x:0:0:root:/root:/bin/bash\nbob:x:1001:1001:B:/home/bob:/bin/sh\n"
UNIT = (
    b"Id=shiny-server.service\nLoadState=loaded\nActiveState=active\nSubState=running\n"
    b"UnitFileState=enabled\nRestart=no\nMainPID=7\n"
)


def _probe(
    folder: Path,
    *,
    files: Mapping[str, bytes] | None = None,
    says: Mapping[str, bytes] | None = None,
    moved: Sequence[str] = (),
    taking: Taking = CLOSED,
    awk: str = "awk",
) -> Facts:
    """The facts of a machine with these files (by their paths) and programs that say this.

    `moved` is folders that the test has filled itself, below `root`.
    """
    programs = folder / "bin"
    programs.mkdir()
    script = compose("BOUNDARY", use_sudo=False, with_r=False, taking=taking)
    for path, content in (files or {}).items():
        there = folder / "root" / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(content)
        script = script.replace(path, str(there))
    for path in moved:
        script = script.replace(path, f"{folder}/root{path}")
    for name, words in (says or {}).items():
        (folder / f"{name}.said").write_bytes(words)
        # getent is asked for two tables: that of groups is a plain one
        group = 'if [ "$1" = group ]; then echo root:x:0:; exit; fi\n' if name == "getent" else ""
        (programs / name).write_text(f"#!/bin/sh\n{group}cat '{folder}/{name}.said'\n")
        (programs / name).chmod(0o755)
    if awk != "awk":
        (programs / "awk").write_text(f'#!/bin/sh\nexec {awk} "$@"\n')
        (programs / "awk").chmod(0o755)
    done = subprocess.run(
        ["sh", "-s"],
        input=script.encode(),
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "LANG": "C.UTF-8"},
    )
    return facts_of(done.stdout.decode("utf-8", "replace"), "BOUNDARY", where="here")


def _whys(facts: Facts) -> dict[str, str]:
    return {one.what: one.why for one in facts.not_seen}


@pytest.mark.parametrize(
    "text",
    [
        RELEASE.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + RELEASE,
        RELEASE + b"HOME_URL=\0\n",
        RELEASE + b"VENDOR=caf\xe9\n",
        RELEASE + b"X=" + LONG + b"\n",
        RELEASE + b"A=1\n" * 30_000,
    ],
    ids=["crlf", "bom", "nul", "latin1", "long", "many"],
)
def test_the_system_is_told_whatever_wrote_its_release(tmp_path: Path, text: bytes) -> None:
    facts = _probe(tmp_path, files={"/etc/os-release": text})
    found = (facts[Os].id, facts[Os].version, facts[Os].codename, facts[Os].name)
    assert found == ("debian", "12", "bookworm", "Debian 12")
    assert not [what for what in _whys(facts) if "os-release" in what]


@pytest.mark.parametrize(
    ("name", "value"), [("ID", b"caf\xe9"), ("PRETTY_NAME", LONG)], ids=["latin1", "long"]
)
def test_what_is_odd_in_the_release_is_named(tmp_path: Path, name: str, value: bytes) -> None:
    text = RELEASE + name.encode() + b"=" + value + b"\n"
    facts = _probe(tmp_path, files={"/etc/os-release": text})
    assert _whys(facts)[f"{name} in /etc/os-release".replace("/etc", f"{tmp_path}/root/etc")]
    assert facts[Os].version == "12"
    assert (facts[Os].id, facts[Os].name).count("") == 1


def test_sockets_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    odd = (
        b"garbage\n",
        b"mptcp LISTEN 0 5 0.0.0.0:99 0.0.0.0:*\n",
        b"tcp LISTEN 0 5 0.0.0.0:http 0.0.0.0:*\n",
        b"tcp LISTEN 0 5 0.0.\xe9.0:99 0.0.0.0:*\n",
        b"tcp LISTEN 0 5 0.0.0.0:99999 0.0.0.0:*\n",
        b"tcp LISTEN 0 5 " + LONG + b":99 0.0.0.0:*\n",
        b"Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\n",
    )
    facts = _probe(tmp_path, says={"ss": b"".join(odd) + SOCKET})
    assert [(one.port, one.process) for one in facts.get(Ports) or ()] == [(3838, "node")]
    assert _whys(facts)[f"{len(odd)} lines of ss (listening ports)"]


def test_a_process_is_called_as_it_likes(tmp_path: Path) -> None:
    called = (
        b'("node",pid=7,proc_ctx=unconfined,fd=9)',
        b'("caf\xe9",pid=7,fd=9)',
        b'("' + LONG + b'",pid=7,fd=9)',
        b",".join(b'("node",pid=%d,fd=3)' % n for n in range(7, 20_000)),
    )
    lines = (
        b"tcp LISTEN 0 5 0.0.0.0:%d 0.0.0.0:* users:(%s)\r\n" % (port, name)
        for port, name in enumerate(called, 1)
    )
    facts = _probe(tmp_path, says={"ss": b"".join(lines)})
    found = [(one.port, one.process, one.pid) for one in facts.get(Ports) or ()]
    names = ("node", "not-taken", "not-taken", "node")
    assert found == [(port, name, 7) for port, name in enumerate(names, 1)]


def test_packages_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    odd = (
        b"ii \tf\xe9\t1\toptional\n",
        b"ii \tfoo\t\toptional\n",
        b"ii \tfoo\t1 2\toptional\n",
        b"ii \tfoo\t" + LONG + b"\toptional\n",
        b"dpkg-query: warning: something\n",
    )
    facts = _probe(tmp_path, says={"dpkg-query": b"".join(odd) + PACKAGE})
    found = [(one.name, one.version) for one in facts.get(SystemPackages) or ()]
    assert found == [("r-base-core", "4.2.2-1")]
    assert _whys(facts)[f"{len(odd)} lines of dpkg-query (packages)"]


def test_packages_of_an_installation_that_broke_off_are_named(tmp_path: Path) -> None:
    broken = b"iF \tr-cran-dt\t1\toptional\niU \tpandoc\t2\toptional\niHR\tquarto\t3\toptional\n"
    facts = _probe(tmp_path, says={"dpkg-query": PACKAGE + broken + b"rc \told\t1\toptional\n"})
    assert [one.name for one in facts.get(SystemPackages) or ()] == ["r-base-core"]
    why = _whys(facts)["packages that are not wholly installed"]
    assert why.startswith(
        "r-cran-dt is half-configured, pandoc is unpacked, quarto is half-installed: "
    )
    assert "dpkg --configure -a" in why


def test_accounts_are_read_beside_odd_ones(tmp_path: Path) -> None:
    odd = (
        b"eve:x:1002\n",
        b"eve:x:-2:-2::/home/eve:/bin/sh\n",
        b":x:1002:1002::/home/eve:/bin/sh\n",
        b"eve:x:1002:1002:a:b:/home/eve:/bin/sh\n",
    )
    whole = (
        b"ann:x:1003:1003:J\xf6rg\0:/home/ann:/bin/sh\n",
        b"cat:x:1004:1004:" + LONG + b":/home/cat:/bin/sh\n",
        b"dan:x:1005:1005::/" + LONG + b":/bin/sh\n",
    )
    text = b"".join((*odd, *whole)) + PERSON.replace(b"\n", b"\r\n")
    facts = _probe(tmp_path, says={"getent": text})
    assert {user.name for user in facts[Accounts]} == {"root", "bob", "ann", "cat", "dan"}
    assert _whys(facts)[f"{len(odd)} lines of the table of accounts"]


def test_locales_are_read_beside_an_odd_one(tmp_path: Path) -> None:
    facts = _probe(tmp_path, says={"locale": b"C\r\nC.utf8\nfran\xe7ais\na\tb\n" + LONG + b"\n"})
    assert {"C", "C.utf8"} <= set(facts[SystemLocale].available or ())
    assert _whys(facts)["1 line of locale -a"]


@pytest.mark.parametrize(
    "value", [b"caf\xe9", b"a\0b", LONG, b"\x1b[2J"], ids=["latin1", "nul", "long", "esc"]
)
def test_settings_are_read_beside_an_odd_one(tmp_path: Path, value: bytes) -> None:
    files = {
        "/etc/environment": b"NAME_OF=" + value + b"\nTZ=UTC\n",
        "/etc/default/locale": b"LC_ALL=" + value + b"\nLANG=C.UTF-8\n",
        "/etc/security/limits.conf": value + b" hard nofile 1\n* soft nproc 20\n",
        "/etc/odbc.ini": b"[ODBC Data Sources]\n" + value + b"=x\n[PG]\nPort=5432\n",
        "/etc/shiny-server/shiny-server.conf": b"server {\r\n listen 3838;\r\n location / {\r\n"
        b"  site_dir /srv/" + value + b";\r\n  log_dir /var/log/shiny-server;\r\n }\r\n}\r\n",
    }
    taking = Taking(names=("NAME_OF",), files=(str(tmp_path / "root/etc/environment"),))
    facts = _probe(tmp_path, files=files, taking=taking)
    found = {Path(one.path).name: one.settings for one in facts.get(Configs) or ()}
    assert found["environment"]["TZ"] == "UTC"
    assert facts[SystemLocale].settings["LANG"] == "C.UTF-8"
    assert found["limits.conf"]["* soft nproc"] == "20"
    assert found["odbc.ini"]["PG.Port"] == "5432"
    shiny = facts.get(SeenShinyServer)
    assert shiny is not None
    assert ([one.port for one in shiny.listens], shiny.log_dirs) == (
        [3838],
        ("/var/log/shiny-server",),
    )
    assert shiny.site_dirs[0].startswith("<not taken: ")


def test_a_configuration_without_an_end_is_read_so_far_and_that_is_said(tmp_path: Path) -> None:
    text = b"server {\n listen 3838;\n}\n" + b"# nothing\n" * 20_000
    facts = _probe(tmp_path, files={"/etc/shiny-server/shiny-server.conf": text})
    assert [one.port for one in facts[SeenShinyServer].listens] == [3838]
    (what,) = [what for what in _whys(facts) if what.startswith("the end of ")]
    assert what.endswith("shiny-server.conf")


def test_names_of_files_are_anything(tmp_path: Path) -> None:
    names = (b"ta\tb", b"nl\nx", b"caf\xe9", b"\x1b[2J", b"c\xc2\x9bd")
    for place, ending in (
        ("usr/local/share/fonts", b".ttf"),
        ("usr/local/share/ca-certificates", b".crt"),
        ("etc/security/limits.d", b".conf"),
    ):
        folder = tmp_path / "root" / place
        folder.mkdir(parents=True)
        for name in (*names, b"ok"):
            (folder / os.fsdecode(name + ending)).write_text("* soft nofile 9\n")
    moved = ("/usr/local/share/fonts", "/usr/local/share/ca-certificates", "/etc/security")
    bundle = {"/etc/ssl/certs/ca-certificates.crt": b"-----BEGIN CERTIFICATE-----\n"}
    facts = _probe(tmp_path, files=bundle, moved=moved)
    assert "ok.ttf" in (facts.get(Fonts) or ())
    assert "ok.crt" in facts[CaBundle].local
    limits = [one for one in facts.get(Configs) or () if "limits.d" in one.path]
    assert [one.settings for one in limits] == [{"* soft nofile": "9"}]
    said = [one.what for one in facts.not_seen]
    assert said.count(f"a file in {tmp_path}/root/etc/security/limits.d") == len(names)
    assert "1 line of the names of fonts" in said
    assert "1 line of the names of certificates" in said


def test_packages_of_people_are_read_beside_a_broken_one(tmp_path: Path) -> None:
    library = tmp_path / "home" / "R" / "x86_64-library" / "4.2"
    described = {
        "a": b"Package: a\nVersion: 1.0",
        "b": b"Package: b\nTitle: Caf\xe9\nVersion: 1.1\nEncoding: latin1\n",
        "c": b"Package: c\r\nVersion: 1.2\r\n",
        "d": b"garbage\xff\0\n",
        "e": b"Package: e\nDescription: " + LONG + b"\nVersion: 1.3\n",
        "f": b"",
        "g\th": b"Package: g\nVersion: 1.4\n",
    }
    for name, text in described.items():
        (library / name).mkdir(parents=True)
        (library / name / "DESCRIPTION").write_bytes(text)
    person = f"bob:x:1001:1001:J:{tmp_path}/home:/bin/sh\n".encode()
    for awk in [
        one for one in ("awk", "mawk", "gawk", "busybox awk") if shutil.which(one.split()[0])
    ]:
        folder = tmp_path / awk.replace(" ", "-")
        folder.mkdir()
        facts = _probe(folder, says={"getent": PERSON[:32] + person}, awk=awk)
        found = {one.name: one.version for one in facts.get(UserLibraries) or ()}
        assert found == {"a": "1.0", "b": "1.1", "c": "1.2", "e": "1.3", "g": "1.4"}, awk
        assert _whys(facts)["1 line of the packages in people's own libraries"], awk


def test_a_units_settings_of_the_same_name_are_all_read() -> None:
    from sandbox.facts.collect import awk_program

    text = (
        b"EnvironmentFiles=/etc/a (ignore_errors=no)\nEnvironmentFiles=/etc/b (ignore_errors=yes)\n"
    )
    text += b"=odd\nNice=0\nDropInPaths=/etc/caf\xe9.conf\n"
    done = subprocess.run(
        ["awk", "-v", "MODE=unit", awk_program()],
        input=text,
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C"},
    )
    rows = [line.split(b"\t") for line in done.stdout.splitlines()[:-1]]
    assert [row[0] for row in rows] == [
        b"EnvironmentFiles", b"EnvironmentFiles #2", b"Nice", b"DropInPaths",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [
        UNIT.replace(b"active", b"caf\xe9"),
        UNIT.replace(b"MainPID=7", b"MainPID="),
        UNIT.replace(b"SubState=running\n", b""),
        UNIT.replace(b"shiny-server", LONG).replace(b"loaded", b"lost"),
    ],
)
def test_one_unit_is_lost_at_most(odd: bytes) -> None:
    from sandbox.facts.collect import awk_program

    done = subprocess.run(
        ["awk", "-v", "MODE=services", "-v", "B=BOUNDARY", awk_program()],
        input=odd + b"\n" + UNIT,
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C"},
    )
    said = done.stdout.decode()
    assert said.startswith(UNIT.decode())
    assert "\nBOUNDARY\tsection\tnot-seen\n1 line of systemctl show (services)\t" in said
    assert said.count("Id=") == 1


def test_packages_of_r_are_read_beside_a_damaged_one(tmp_path: Path) -> None:
    if shutil.which("R") is None:
        cannot_run("there is no R: tools/prepare.sh --test")
    library = tmp_path / "library"
    code = """
    make <- function(name, described, built = list(R = getRversion())) {
      dir.create(file.path("{}", name, "Meta"), recursive = TRUE)
      file <- file.path("{}", name, "Meta/package.rds")
      saveRDS(list(DESCRIPTION = described, Built = built), file)
    }
    make("good", c(Package = "good", Version = "1.0"))
    make("latin", c(Package = "latin", Version = "1.1", Repository = "Caf\\xe9"))
    make("nobuilt", c(Package = "nobuilt", Version = "1"), NULL)
    make("noversion", c(Package = "noversion"))
    make("nothing", NULL)
    """.replace("{}", str(library))
    subprocess.run(["Rscript", "--vanilla", "-e", code], check=True, timeout=120)
    (library / "cut" / "Meta").mkdir(parents=True)
    (library / "cut" / "Meta" / "package.rds").write_bytes(b"\x1f\x8b\x08\0")
    script = compose("BOUNDARY", use_sudo=False, timeout_s=400)
    done = subprocess.run(
        ["sh", "-s"],
        input=script.encode(),
        capture_output=True,
        timeout=420,
        check=False,
        env={**os.environ, "R_LIBS": str(library), "LC_ALL": "C.UTF-8"},
    )
    facts = facts_of(done.stdout.decode("utf-8", "replace"), "BOUNDARY", where="here")
    view = r_view(facts, "login")
    assert view is not None
    names = {one.name for one in view.packages}
    assert {"good", "latin", "base", "stats"} <= names
    assert not names & {"nobuilt", "noversion", "nothing", "cut"}
    whys = _whys(facts)
    for name in ("nobuilt", "noversion"):
        assert whys[f"R's package {name} (login)"] == "its Meta/package.rds is damaged"
    for name in ("nothing", "cut"):
        assert whys[f"R's package {name} (login)"] == "its Meta/package.rds cannot be read"
