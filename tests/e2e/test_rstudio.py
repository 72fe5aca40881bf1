"""The shipped box on real machines: with a stand-in for RStudio Server, from the tests' mirror.

Beside it run two real Rs, real PAM and a real systemd; nothing of the product knows of the
stand-in. The box is boxes/rstudio.yml, but for the version of R, which the mirror does not have;
a second R, the packages of an renv.lock and a second user come to it.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.checks.rstudio_session import NoSession, RstudioClient, SignInFailed, SignInRefusal
from sandbox.deadline import Deadline
from tests.conftest import Host, cannot_run
from tests.mirror import Contents, Mirror, serving
from tests.standin.browser import open_browser
from tests.standin.build import build_deb

SHIPPED: dict[str, Any] = yaml.safe_load(Path("boxes/rstudio.yml").read_text("utf-8"))
VERSION = SHIPPED["services"]["rstudio_server"]["version"]
NAME = "rserver1"
POSIT, DEBIAN = "4.0.4", "4.2.2"
"""The Rs of the box: the mirror's, in Posit's layout, is the default, as in the shipped box."""
SNAPSHOT = "https://packagemanager.posit.co/cran/2023-06-12"
LOCKED = {"digest": "0.6.31", "jsonlite": "1.8.4"}
"""Both are compiled: one R's build of them does not load in the other."""
ASK = (
    "for (one in c('digest', 'jsonlite')) loadNamespace(one);"
    " home <- normalizePath(R.home());"
    " seen <- paste(loadedNamespaces(), sapply(loadedNamespaces(), getNamespaceVersion));"
    " writeLines(c(as.character(getRversion()), home, seen), '~/proof')"
)
PASSWORD = re.compile(r"^\s+(\w+)\s+([a-zA-Z2-9]{4}(?:-[a-zA-Z2-9]{4}){3})$", re.MULTILINE)
KEYS = "/var/lib/rstudio-server/secure-cookie-key /var/lib/rstudio-server/session-rpc-key"


@dataclass
class Rstudio:
    """A sandbox with RStudio Server, and what `up` said of it."""

    host: Host
    name: str
    box: Path
    passwords: dict[str, str]
    url: str

    @property
    def client(self) -> RstudioClient:
        return RstudioClient(self.url)

    def as_root(self, script: str, *, expect: int | None = 0) -> str:
        words = ("exec", self.name, "--", "sudo", "-n", "bash", "-c", script)
        return self.host.sandbox(*words, expect=expect).stdout

    def written(self, path: str) -> list[str]:
        """The lines of a file that a session writes, once it is there."""
        done = f"for n in $(seq 100); do [ -s {path} ] && break; sleep .1; done"
        return self.as_root(f"{done}; cat {path}").splitlines()


def write_box(file: Path, mirror: Mirror, **of_rstudio: str) -> str:
    """Write the shipped box as the mirror can serve it, with its lock file; return its text."""
    box = json.loads(json.dumps(SHIPPED))
    shipped_r = box["r"]
    assert shipped_r.pop("source") == "posit"
    shipped_r.pop("version")
    packages = {"source": "renv", "lock": "renv.lock"}
    shipped_r["versions"] = [
        {"version": POSIT, "source": "posit", "default": True, "packages": packages},
        {"version": DEBIAN},
    ]
    url = mirror.url
    box["mirrors"] = {"rstudio": f"{url}/rstudio", "posit": url, "cran": f"{url}/cran"}
    box["users"].append({"name": "bob"})
    box["services"]["rstudio_server"].update(of_rstudio)
    if "path" in of_rstudio:
        box["services"]["nginx"] = {}
    text = yaml.safe_dump(box, sort_keys=False)
    file.write_text(text, "utf-8")
    (file.parent / "renv.lock").write_text(lock_text())
    return text


def lock_text() -> str:
    packages = {
        name: {"Package": name, "Version": version, "Source": "Repository", "Repository": "CRAN"}
        for name, version in LOCKED.items()
    }
    r = {"Version": POSIT, "Repositories": [{"Name": "CRAN", "URL": SNAPSHOT}]}
    return json.dumps({"R": r, "Packages": packages}, indent=2)


def made(host: Host, box: Path, name: str) -> Rstudio:
    done = host.sandbox("up", box, "--name", name, timeout_s=1800)
    page = next(word for word in done.stdout.split() if word.endswith("/auth-sign-in"))
    passwords = dict(PASSWORD.findall(done.stderr))
    return Rstudio(host, name, box, passwords, page.removesuffix("/auth-sign-in"))


@pytest.fixture(scope="module")
def served(mirror_contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    folder = tmp_path_factory.mktemp("rstudio-deb")
    with serving(mirror_contents, tmp_path_factory.mktemp("rstudio")) as mirror:
        mirror.add_rstudio(build_deb(folder, version=VERSION), VERSION)
        yield mirror


@pytest.fixture(scope="module")
def rstudio(
    host: Host, served: Mirror, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rstudio]:
    box = tmp_path_factory.mktemp("box") / "rserver.yml"
    write_box(box, served)
    try:
        yield made(host, box, NAME)
    finally:
        host.sandbox("destroy", NAME, expect=None)


def test_everybody_gets_a_password_once_and_signs_in(rstudio: Rstudio) -> None:
    assert set(rstudio.passwords) == {"ada", "bob"}
    again = rstudio.host.sandbox("up", rstudio.box, "--name", NAME)
    assert PASSWORD.findall(again.stderr) == []
    client = rstudio.client
    client.sign_in("ada", rstudio.passwords["ada"])
    client.start_session(Deadline(60))
    client.type(ASK)
    version, home, *loaded = rstudio.written("/home/ada/proof")
    assert (version, home) == (POSIT, f"/opt/R/{POSIT}/lib/R")
    assert {f"{name} {version}" for name, version in LOCKED.items()} <= set(loaded)
    assert rstudio.as_root("stat -c %U /home/ada/proof").strip() == "ada"


def test_both_rs_are_there_and_only_the_default_has_the_locked_packages(rstudio: Rstudio) -> None:
    ask = "cat(as.character(getRversion()), requireNamespace('digest', quietly = TRUE))"
    for program, answer in (
        ("R", f"{POSIT} TRUE"),
        (f"R-{POSIT}", f"{POSIT} TRUE"),
        (f"R-{DEBIAN}", f"{DEBIAN} FALSE"),
    ):
        words = ("exec", NAME, "--", program, "--no-echo", "-e", ask)
        assert rstudio.host.sandbox(*words).stdout == answer, program


def test_no_file_has_a_password(rstudio: Rstudio) -> None:
    folder = rstudio.host.instances / NAME
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for password in rstudio.passwords.values():
        for path in files:
            assert password.encode() not in path.read_bytes(), path
        found = f"grep -rlF -- {password} /var/log /etc /var/lib /tmp /root 2>/dev/null || true"
        # The command itself is on nobody's disk; the journal holds the line of sudo that runs it
        there = [one for one in rstudio.as_root(found).split() if "/journal/" not in one]
        assert there == []


def test_all_checks_pass_and_leave_nobody_behind(rstudio: Rstudio) -> None:
    report = json.loads(rstudio.host.sandbox("check", NAME, "--json").stdout)
    outcomes = {one["id"]: one["outcome"] for one in report["results"]}
    wanted = {
        "up.session.rstudio",
        "up.restart.rstudio-server",
        "safe.rstudio.keys",
        "safe.rstudio.pam",
        "safe.rstudio.wrong-password",
        "correct.rstudio.version",
        "correct.rstudio.config",
        "correct.rstudio.r",
        "correct.rstudio.libraries",
        "correct.r.all",
        "correct.r.default.login",
        f"correct.r.library.{POSIT}",
        "snappy.session.rstudio",
    }
    assert wanted <= set(outcomes)
    assert set(outcomes.values()) <= {"passed", "skipped"}, outcomes
    assert "sandbox-check" not in rstudio.as_root("getent passwd; ls /home")


def test_three_refusals_have_three_messages(rstudio: Rstudio) -> None:
    messages = []
    time.sleep(5)
    for name, password in (("bob", "wrong"), ("bob", rstudio.passwords["bob"]), ("root", "wrong")):
        with pytest.raises(SignInFailed) as found:
            rstudio.client.sign_in(name, password)
        messages.append((found.value.refusal, str(found.value)))
    assert [one for one, _ in messages] == [
        SignInRefusal.PASSWORD,
        SignInRefusal.BUSY,
        SignInRefusal.ACCOUNT,
    ]
    assert len({text for _, text in messages}) == 3


def test_a_lost_password_is_replaced(rstudio: Rstudio) -> None:
    done = rstudio.host.sandbox("password", NAME, "bob")
    ((name, new),) = PASSWORD.findall(done.stderr)
    assert name == "bob"
    assert new != rstudio.passwords["bob"]
    time.sleep(5)
    with pytest.raises(SignInFailed):
        rstudio.client.sign_in("bob", rstudio.passwords["bob"])
    time.sleep(5)
    rstudio.client.sign_in("bob", new)
    rstudio.passwords["bob"] = new
    denied = rstudio.host.sandbox("password", NAME, "root", expect=2)
    assert "root has no password" in denied.stderr


def test_somebody_signs_in_with_a_real_browser(rstudio: Rstudio) -> None:
    program = shutil.which("chromium")
    if program is None:
        cannot_run("there is no chromium: tools/prepare.sh --test")
    time.sleep(5)
    with open_browser(program) as browser:
        browser.open(rstudio.url)
        browser.wait_for("document.getElementById('username') !== null")
        for key, value in (("username", "ada"), ("password", rstudio.passwords["ada"])):
            browser.ask(f"document.getElementById('{key}').value = {json.dumps(value)}")
        browser.ask("document.getElementById('signinbutton').click()")
        browser.wait_for("!location.pathname.includes('auth-sign-in')")


def test_two_clones_share_nothing(rstudio: Rstudio) -> None:
    """The first machine passed its checks and was baked: the second is its clone."""
    try:
        other = made(rstudio.host, rstudio.box, "rserver2")
        assert set(other.passwords) == {"ada", "bob"}
        assert not set(other.passwords.values()) & set(rstudio.passwords.values())
        read = f"cat {KEYS} | sha256sum; sha256sum {KEYS}"
        mine, theirs = rstudio.as_root(read).split(), other.as_root(read).split()
        assert not {one for one in mine if len(one) == 64} & {
            one for one in theirs if len(one) == 64
        }
        time.sleep(5)
        with pytest.raises(SignInFailed):
            other.client.sign_in("ada", rstudio.passwords["ada"])
        time.sleep(5)
        other.client.sign_in("ada", other.passwords["ada"])
    finally:
        rstudio.host.sandbox("destroy", "rserver2", expect=None)


def test_the_port_is_closed_until_it_is_configured(rstudio: Rstudio) -> None:
    """Install it once more, and look at the port all the while."""
    watch = (
        "systemctl stop rstudio-server; dpkg --purge rstudio-server >/dev/null 2>&1;"
        " rm -rf /var/lib/rstudio-server /etc/rstudio/rserver.conf;"
        " nohup sh -c 'while sleep 0.02; do"
        ' if ss -Hltn "sport = :8787" | grep -q .; then'
        " if systemctl is-enabled rstudio-server | grep -q masked; then echo open; fi;"
        " if ! grep -q ^www-address /etc/rstudio/rserver.conf; then echo early; fi; fi;"
        " done' >/run/seen 2>/dev/null </dev/null & echo $! >/run/watcher"
    )
    rstudio.as_root(watch, expect=None)
    rstudio.host.sandbox("up", rstudio.box, "--name", NAME, "--provision", timeout_s=900)
    rstudio.as_root("kill $(cat /run/watcher)", expect=None)
    assert rstudio.as_root("cat /run/seen") == ""
    assert rstudio.as_root("systemctl is-active rstudio-server").strip() == "active"


def test_what_somebody_broke_is_found_and_put_right(rstudio: Rstudio) -> None:
    spoil = "echo no-such-key=1 >>/etc/rstudio/rsession.conf; pkill rsession || true"
    rstudio.as_root(spoil)
    found = rstudio.host.sandbox("check", NAME, "--goal", "up", "--json", expect=1)
    failed = {
        one["id"] for one in json.loads(found.stdout)["results"] if one["outcome"] == "failed"
    }
    assert failed == {"up.session.rstudio"}
    rstudio.host.sandbox("up", rstudio.box, "--name", NAME, timeout_s=900)


def test_behind_nginx_it_is_there_at_its_path_alone(rstudio: Rstudio, served: Mirror) -> None:
    """And its sessions run the other R, where the box says so."""
    write_box(rstudio.box, served, path="/rstudio", r=DEBIAN)
    moved = made(rstudio.host, rstudio.box, NAME)
    assert moved.url.endswith(":80/rstudio") or moved.url.endswith("/rstudio")
    time.sleep(5)
    client = moved.client
    client.sign_in("ada", rstudio.passwords["ada"])
    client.start_session(Deadline(60))
    client.type("writeLines(as.character(getRversion()), '~/other')")
    assert rstudio.written("/home/ada/other") == [DEBIAN]
    address = moved.url.split("/")[2].split(":")[0]
    with pytest.raises(NoSession):
        RstudioClient(f"http://{address}:8787").open_sign_in()


def test_a_bad_key_is_refused_before_anything_is_made(
    host: Host, served: Mirror, tmp_path: Path
) -> None:
    box = tmp_path / "bad.yml"
    text = write_box(box, served).replace("auth-timeout-minutes", "admin-enabled")
    box.write_text(text)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "admin-enabled" in one)
    done = host.sandbox("up", box, "--name", "rserver3", expect=3)
    assert f"bad.yml:{line}" in done.stderr
    assert "admin-enabled" in done.stderr
    listed = subprocess.run(
        ["incus", "list", "--all-projects", "--format", "csv", "-c", "n"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "rserver3" not in listed.stdout
