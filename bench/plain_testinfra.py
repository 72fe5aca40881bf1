"""The assertions of `sandbox check shiny`, as somebody writes them for testinfra by hand.

One question to the machine for each, over testinfra's own ssh backend, which keeps its connection.
pytest runs this file (`bench.cycle`); `SANDBOX_BENCH_URL` is the app's page.
"""

import os
import time
import urllib.request
from typing import Any

import pytest

Host = Any
"""testinfra's, which has no types."""

R_PACKAGES = ("shiny", "rmarkdown", "plumber")
SERVICES = ("shiny-server", "ssh")
URL = os.environ["SANDBOX_BENCH_URL"]
AS_SHINY = "sudo -n -u shiny env -i HOME=/home/shiny PATH=/usr/bin:/bin LANG=en_US.UTF-8 "


def r(host: Host, expression: str, *, user: str = "") -> str:
    """What R says."""
    said: str = host.check_output(f"{user}Rscript -e %s", f"cat(format({expression}))")
    return said


def page() -> tuple[int, float]:
    """Its status, and the seconds that it took."""
    started = time.monotonic()
    with urllib.request.urlopen(URL, timeout=60) as answer:
        answer.read()
        return answer.status, time.monotonic() - started


def test_system(host: Host) -> None:
    assert host.check_output("systemctl is-system-running") == "running"


@pytest.mark.parametrize("name", SERVICES)
def test_running(host: Host, name: str) -> None:
    assert host.service(name).is_running


@pytest.mark.parametrize("name", SERVICES)
def test_enabled(host: Host, name: str) -> None:
    assert host.service(name).is_enabled


def test_first_page() -> None:
    assert page()[0] == 200


def test_warm_page() -> None:
    assert page()[1] < 2


def test_first_page_of_the_morning(host: Host) -> None:
    # Written so that it does not match sudo's own command line
    assert host.run("sudo -n pkill -KILL -f '[S]ockJSAdapter.R'").rc == 0
    # Until Shiny Server has heard of it, it sends requests to the process that is gone
    time.sleep(0.5)
    status, seconds = page()
    assert status == 200
    assert seconds < 10


def test_comes_back(host: Host) -> None:
    script = "kill -9 $(systemctl show -p MainPID --value shiny-server)"
    assert host.run("sudo -n sh -c %s", script).rc == 0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if page()[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("it did not come back")


def test_release(host: Host) -> None:
    assert host.system_info.codename == "bookworm"


def test_timezone(host: Host) -> None:
    assert host.file("/etc/localtime").linked_to == "/usr/share/zoneinfo/Europe/Vienna"


def test_locale(host: Host) -> None:
    assert "LANG=en_US.UTF-8" in host.file("/etc/default/locale").content_string


@pytest.mark.parametrize("name", ["r-base-core", "libopenblas0-pthread", "r-cran-shiny"])
def test_debian_package(host: Host, name: str) -> None:
    assert host.package(name).is_installed


@pytest.mark.parametrize("user", ["", AS_SHINY])
def test_r_version(host: Host, user: str) -> None:
    assert r(host, "getRversion()", user=user).startswith("4.2")


@pytest.mark.parametrize("user", ["", AS_SHINY])
def test_r_timezone(host: Host, user: str) -> None:
    assert r(host, "Sys.timezone()", user=user) == "Europe/Vienna"


@pytest.mark.parametrize("user", ["", AS_SHINY])
def test_r_locale(host: Host, user: str) -> None:
    assert r(host, 'Sys.getlocale("LC_COLLATE")', user=user) == "en_US.UTF-8"


@pytest.mark.parametrize("user", ["", AS_SHINY])
def test_r_environment(host: Host, user: str) -> None:
    assert r(host, 'Sys.getenv("PATH") != ""', user=user) == "TRUE"


@pytest.mark.parametrize("user", ["", AS_SHINY])
def test_r_blas(host: Host, user: str) -> None:
    assert "openblas" in r(host, 'extSoftVersion()["BLAS"]', user=user)


@pytest.mark.parametrize("user", ["", AS_SHINY])
def test_r_option(host: Host, user: str) -> None:
    assert r(host, 'getOption("digits")', user=user) == "7"


@pytest.mark.parametrize("name", R_PACKAGES)
def test_r_package_loads(host: Host, name: str) -> None:
    assert r(host, f"requireNamespace({name!r})").endswith("TRUE")


@pytest.mark.parametrize("name", ["cairo", "png", "jpeg"])
def test_r_capability(host: Host, name: str) -> None:
    assert r(host, f"capabilities({name!r})") == "TRUE"


@pytest.mark.parametrize("limit", ["-n", "-u"])
def test_limit(host: Host, limit: str) -> None:
    assert host.check_output(f"bash -c 'ulimit {limit}'")


@pytest.mark.parametrize("port", [22, 3838])
def test_listens(host: Host, port: int) -> None:
    with host.sudo():
        assert host.socket(f"tcp://0.0.0.0:{port}").is_listening


@pytest.mark.parametrize("setting", ["passwordauthentication no", "permitrootlogin"])
def test_sshd(host: Host, setting: str) -> None:
    with host.sudo():
        assert setting in host.check_output("/usr/sbin/sshd -T")


def test_no_password(host: Host) -> None:
    with host.sudo():
        lines = host.file("/etc/shadow").content_string.splitlines()
    assert all(line.split(":")[1][:1] in ("!", "*") for line in lines)


def test_nobody_else_is_root(host: Host) -> None:
    assert host.check_output("awk -F: '$3 == 0 { print $1 }' /etc/passwd") == "root"


@pytest.mark.parametrize("path", ["/etc/shiny-server/shiny-server.conf", "/srv/shiny-server"])
def test_nobody_else_writes(host: Host, path: str) -> None:
    file = host.file(path)
    assert file.user == "root"
    assert not file.mode & 0o002


def test_cpus(host: Host) -> None:
    assert host.check_output("getconf _NPROCESSORS_ONLN") == "2"


def test_memory(host: Host) -> None:
    assert int(host.check_output("awk '/MemTotal/ { print $2 }' /proc/meminfo")) > 1_900_000


def test_disk(host: Host) -> None:
    assert int(host.check_output("df --output=avail -k / | tail -1")) > 1_000_000
