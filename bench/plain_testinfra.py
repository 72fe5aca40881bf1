"""The assertions of `sandbox check shiny`, as somebody writes them for testinfra by hand.

One question to the machine for each, over testinfra's own ssh backend, which keeps its connection.
All but one: a session of the app needs a client for its web socket. pytest runs this file
(`bench.cycle`); `SANDBOX_BENCH_URL` is the app's page.
"""

import os
import time
import urllib.request
from typing import Any

import pytest

Host = Any
"""testinfra's, which has no types."""

URL = os.environ["SANDBOX_BENCH_URL"]
SERVICES = ("shiny-server", "ssh")
PACKAGES = (
    *("ca-certificates", "fonts-dejavu-core", "libopenblas0-pthread", "locales", "pandoc"),
    *("r-base-core", "r-cran-plumber", "r-cran-rmarkdown", "r-cran-shiny", "shiny-server"),
    "tzdata",
)
LOGIN, APP = "", "sudo -n -u shiny env -i HOME=/home/shiny PATH=/usr/bin:/bin LANG=en_US.UTF-8 "
VIEWS = pytest.mark.parametrize("user", [LOGIN, APP], ids=["login", "app"])
OPEN_TO_ALL = "find -L {} -perm -o+w -not -type l -not -perm -1000 2>/dev/null"
OTHERS_RUN = "/etc/R /usr/lib/R/etc /etc/shiny-server /srv/shiny-server /usr/lib/R/library/base"
DRAW = """{
    draw <- function(letter) {
        file <- tempfile()
        png(file, type = "cairo"); plot.new(); text(.5, .5, letter, cex = 9); dev.off()
        unname(tools::md5sum(file))
    }
    draw("A") != draw("B")
}"""
RUN = """{
    file <- tempfile()
    writeLines(c("#!/bin/sh", "echo runs"), file); Sys.chmod(file, "755")
    system(file, intern = TRUE)
}"""


def r(host: Host, expression: str, user: str = LOGIN) -> str:
    """What R says."""
    said: str = host.check_output(f"{user}Rscript -e %s", f"cat(format({expression}))")
    return said


def root(host: Host, script: str) -> str:
    """What a script of root's prints."""
    said: str = host.check_output("sudo -n sh -c %s", script)
    return said


def page() -> tuple[int, float]:
    """Its status, and the seconds that it took."""
    started = time.monotonic()
    with urllib.request.urlopen(URL, timeout=60) as answer:
        answer.read()
        return answer.status, time.monotonic() - started


# ---- up ----


def test_system(host: Host) -> None:
    assert host.check_output("systemctl is-system-running") == "running"


@pytest.mark.parametrize("name", SERVICES)
def test_running(host: Host, name: str) -> None:
    assert host.service(name).is_running


@pytest.mark.parametrize("name", SERVICES)
def test_enabled(host: Host, name: str) -> None:
    assert host.service(name).is_enabled


def test_page() -> None:
    assert page()[0] == 200


# ---- safe ----


@pytest.mark.parametrize(
    ("where", "ports"), [("network", {"22", "3838"}), ("loopback", {"22", "53", "3838"})]
)
def test_nothing_else_listens(host: Host, where: str, ports: set[str]) -> None:
    lines = host.check_output("ss -H -l -t -n").splitlines()
    places = [line.split()[3].rpartition(":")[::2] for line in lines]
    local = [address.startswith(("127.", "[::1]")) for address, _ in places]
    found = {
        port for (_, port), is_local in zip(places, local, strict=True)
        if is_local == (where == "loopback")
    }  # fmt: skip
    # The processes of apps listen on ports of the kernel's choice
    assert {port for port in found if int(port) < 32768} <= ports


@pytest.mark.parametrize(("port", "program"), [("22", "sshd"), ("3838", "shiny-server")])
def test_whose_port(host: Host, port: str, program: str) -> None:
    pid = root(host, f"ss -H -l -t -n -p sport = :{port} | grep -o 'pid=[0-9]*' | head -n 1")
    assert program in root(host, f"tr '\\0' ' ' </proc/{pid.removeprefix('pid=')}/cmdline")


def test_no_password(host: Host) -> None:
    lines = root(host, "cat /etc/shadow").splitlines()
    assert all(line.split(":")[1][:1] in ("!", "*") for line in lines)


def test_who_can_log_in(host: Host) -> None:
    lines = [line.split(":") for line in host.check_output("getent passwd").splitlines()]
    shells = {line[0] for line in lines if not line[6].endswith(("nologin", "false", "sync"))}
    assert shells <= {"root", "sandbox", "shiny"}


def test_who_is_root(host: Host) -> None:
    said = root(host, "getent group sudo admin wheel; cat /etc/sudoers.d/*; cat /etc/sudoers")
    lines = [line for line in said.splitlines() if "ALL" in line and not line.startswith("#")]
    assert {line.split()[0] for line in lines} <= {"root", "sandbox", "%sudo"}


def test_well_known_key(host: Host) -> None:
    keys = root(host, "cat /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys; true")
    assert "vagrant insecure public key" not in keys


def test_keys(host: Host) -> None:
    keys = root(host, "cat /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys; true")
    assert len([line for line in keys.splitlines() if line.startswith("ssh-")]) == 1


@pytest.mark.parametrize("setting", ["passwordauthentication no", "permitrootlogin "])
def test_sshd(host: Host, setting: str) -> None:
    said = root(host, "/usr/sbin/sshd -T")
    assert setting in said
    assert "permitrootlogin yes" not in said


def test_cookie_key(host: Host) -> None:
    place = "/var/lib/rstudio-server/secure-cookie-key"
    assert root(host, f"stat -c %a {place} 2>/dev/null || echo none") in ("none", "600")


def test_nobody_else_writes(host: Host) -> None:
    assert root(host, f"{OPEN_TO_ALL.format(OTHERS_RUN)} | head -n 1") == ""


def test_password_hashes(host: Host) -> None:
    assert not host.file("/etc/shadow").mode & 0o007


def test_apps_are_not_root(host: Host) -> None:
    assert "shiny" in host.check_output("ps -C R -o user=")


# ---- correct ----


def test_release(host: Host) -> None:
    assert host.system_info.codename == "bookworm"


def test_timezone(host: Host) -> None:
    assert host.file("/etc/localtime").linked_to == "/usr/share/zoneinfo/Europe/Vienna"


@VIEWS
def test_r_timezone(host: Host, user: str) -> None:
    assert r(host, "Sys.timezone()", user) == "Europe/Vienna"


def test_locale(host: Host) -> None:
    assert "LANG=en_US.UTF-8" in host.file("/etc/default/locale").content_string


@VIEWS
def test_r_locale(host: Host, user: str) -> None:
    assert r(host, 'Sys.getlocale("LC_COLLATE")', user) == "en_US.UTF-8"


@VIEWS
def test_r_environment(host: Host, user: str) -> None:
    assert r(host, 'Sys.getenv("OMP_NUM_THREADS")', user) == "1"


def test_open_files(host: Host) -> None:
    assert host.check_output("bash -l -c 'ulimit -n'") == "16384"


def test_open_files_of_an_app(host: Host) -> None:
    limits = root(host, "cat /proc/$(pgrep -u shiny -o -x R)/limits")
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3] == "16384"


def test_debian_packages(host: Host) -> None:
    for name in PACKAGES:
        assert host.package(name).is_installed


def test_one_r(host: Host) -> None:
    found = host.check_output("ls -d /usr/lib/R /usr/local/lib/R/bin /opt/R/* 2>/dev/null; true")
    assert found == "/usr/lib/R"


@VIEWS
def test_r_version(host: Host, user: str) -> None:
    assert r(host, "getRversion()", user).startswith("4.2")


@VIEWS
def test_r_starts_quietly(host: Host, user: str) -> None:
    done = host.run(f"{user}R --slave --no-save -e %s", "cat(1)")
    assert (done.stdout, done.stderr) == ("1", "")


@VIEWS
def test_r_random(host: Host, user: str) -> None:
    said = r(host, "paste(RNGkind(), collapse = ' ')", user)
    assert said == "Mersenne-Twister Inversion Rejection"


@VIEWS
def test_r_blas(host: Host, user: str) -> None:
    assert "openblas" in r(host, 'extSoftVersion()["BLAS"]', user)


@VIEWS
def test_r_option(host: Host, user: str) -> None:
    assert r(host, 'getOption("digits")', user) == "7"


@pytest.mark.parametrize("name", ["shiny", "rmarkdown", "plumber"])
def test_r_package_loads(host: Host, name: str) -> None:
    assert r(host, f"requireNamespace({name!r})", APP).endswith("TRUE")


@VIEWS
def test_r_packages_fit(host: Host, user: str) -> None:
    assert r(host, 'all(startsWith(installed.packages()[, "Built"], "4."))', user) == "TRUE"


def test_shared_objects(host: Host) -> None:
    find = "find /usr/lib/R /usr/local/lib/R -name '*.so' -exec ldd {} + 2>/dev/null"
    assert host.check_output(f"{find} | grep -c 'not found'; true") == "0"


@VIEWS
def test_plot(host: Host, user: str) -> None:
    assert r(host, DRAW, user) == "TRUE"


@VIEWS
def test_programs_in_tempdir(host: Host, user: str) -> None:
    assert r(host, RUN, user) == "runs"


# ---- snappy ----


def test_cpus(host: Host) -> None:
    assert host.check_output("getconf _NPROCESSORS_ONLN") == "2"


def test_memory(host: Host) -> None:
    assert int(host.check_output("awk '/MemTotal/ { print $2 }' /proc/meminfo")) > 1_900_000


def test_disk(host: Host) -> None:
    assert int(host.check_output("df --output=avail -k / | tail -1")) > 1_000_000


def test_warm_page() -> None:
    assert page()[1] < 2


# ---- what ends processes, last ----


def test_first_page_of_the_morning(host: Host) -> None:
    # Written so that it does not match sudo's own command line
    assert host.run("sudo -n pkill -KILL -f '[S]ockJSAdapter.R'").rc == 0
    # Until Shiny Server has heard of it, it sends requests to the process that is gone
    time.sleep(0.5)
    status, seconds = page()
    assert status == 200
    assert seconds < 10


def test_comes_back(host: Host) -> None:
    root(host, "kill -9 $(systemctl show -p MainPID --value shiny-server)")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if page()[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("it did not come back")
