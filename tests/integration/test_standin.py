"""The stand-in for RStudio Server behaves like the real one where our product meets it.

It runs on this host without being installed: see tests/standin/lab.py. What only a machine has
(systemd, apt) is in tests/e2e.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import cannot_run
from tests.standin.browser import open_browser
from tests.standin.build import build_deb
from tests.standin.files.standin import find_r
from tests.standin.lab import ANN, PASSWORD, StandinLab

_TWICE = "www-port=1\nwww-port=2\n"


def _needs() -> None:
    if os.geteuid() != 0:
        cannot_run("needs root, to sign somebody in: sudo make test")
    for program in ("R", "openssl", "unshare", "/usr/bin/python3"):
        if shutil.which(program) is None:
            cannot_run(f"there is no {program}: tools/prepare.sh --test")
    words = ["unshare", "-m", "--propagation", "private", "true"]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        cannot_run("no mount namespace can be made here")


@pytest.fixture(scope="module")
def running() -> Iterator[StandinLab]:
    _needs()
    with StandinLab() as lab:
        # As long a key as the real server's; it takes seconds to make, so only once
        lab.knob("key-bits=2048")
        lab.start()
        yield lab


@pytest.fixture
def lab() -> Iterator[StandinLab]:
    _needs()
    with StandinLab() as lab:
        yield lab


def test_who_is_not_signed_in_is_sent_to_the_page(running: StandinLab) -> None:
    client = running.client()
    first = client.ask("GET", "/")
    assert first.status == 302
    assert first.location.endswith(f":{running.port}/auth-sign-in?appUri=%2F")
    page = client.ask("GET", "/auth-sign-in?appUri=%2F").text
    assert "<title>RStudio Sign In</title>" in page
    assert "stand-in (for tests, not RStudio)" in page
    assert "+standin1" in page
    for name in ("username", "password", "staySignedIn", "signinbutton", "errorpanel", "errortext"):
        assert f'id="{name}"' in page
    assert client.cookies["rs-csrf-token"] in page


def test_the_public_key_is_as_long_as_the_real_one(running: StandinLab) -> None:
    exponent, modulus = running.client().ask("GET", "/auth-public-key").text.split(":")
    assert exponent == "010001"
    assert int(modulus, 16).bit_length() == 2048


def test_only_browsers_are_welcome(running: StandinLab) -> None:
    for agent in ("curl/8", "python-requests/2", "Mozilla/5.0 Firefox/40.0", ""):
        answer = running.client(agent=agent).ask("GET", "/")
        assert answer.location.endswith("/unsupported_browser.htm"), agent


def test_a_wrong_password_and_too_many_tries(running: StandinLab) -> None:
    client = running.client()
    assert client.sign_in(ANN, "wrong").error == "1"
    assert client.sign_in(ANN, PASSWORD).error == "2"
    assert "user-id" not in client.cookies
    time.sleep(5)
    answer = client.sign_in(ANN, PASSWORD)
    assert (answer.status, answer.error) == (302, "")
    assert answer.location == f"http://127.0.0.1:{running.port}/"
    assert {"user-id", "user-list-id", "persist-auth", "rs-csrf-token"} == set(client.cookies)


def test_who_may_not_use_it_sees_error_3(running: StandinLab) -> None:
    assert running.client().sign_in("root", "wrong").error == "3"
    assert running.client().sign_in("nobody-has-this-name", "wrong").error == "3"


def test_what_the_page_did_not_send_is_refused(running: StandinLab) -> None:
    client = running.client()
    assert client.sign_in(ANN, PASSWORD, fields={"rs-csrf-token": "forged"}).error == "2"
    assert client.sign_in(ANN, PASSWORD, fields={"v": "bm9uc2Vuc2U="}).error == "2"


def test_nobody_calls_without_signing_in(running: StandinLab) -> None:
    assert running.client().start_session()["error"]["code"] == 3


def test_r_runs_as_the_user_and_outlives_everything(lab: StandinLab) -> None:
    lab.configure("rsession.conf", "r-cran-repos=https://cran.example\n# a comment\n")
    (lab.home / ".profile").write_text("export FROM_PROFILE=yes\n")
    lab.start("--auth-sign-in-throttle-seconds=0")
    client = lab.client()
    client.sign_in(ANN, PASSWORD)
    key = client.ask("GET", "/auth-public-key").text
    session = client.start_session()["result"]
    assert (session["userIdentity"], session["initial_working_dir"]) == (ANN, str(lab.home))
    client.run("x <- 42; writeLines(c(R.version.string, Sys.getenv('FROM_PROFILE')), 'made.txt')")
    made = lab.home / "made.txt"
    assert made.read_text().splitlines()[1] == "yes"
    assert made.read_text().startswith(f"R version {session['rVersionsInfo']['r_version']}")
    assert made.stat().st_uid == lab.home.stat().st_uid
    assert "https://cran.example" in client.run("getOption('repos')")
    assert "Error" in client.run("stop('as wanted')")

    second = lab.client()
    second.cookies.update(client.cookies)
    assert "result" in second.start_session()
    assert client.call("/rpc/console_input", "1", "", 0)["error"]["code"] == 4
    assert second.run("x") == "[1] 42\n"

    lab.stop()
    lab.start("--auth-sign-in-throttle-seconds=0")
    assert client.ask("GET", "/auth-public-key").text != key
    assert "result" in second.start_session()
    assert second.run("x") == "[1] 42\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("admin-enabled=1\n", "unrecognised option 'admin-enabled'"),
        (_TWICE, "option 'www-port' cannot be specified more than once"),
        ("www-verify-user-agent=perhaps\n", "the argument ('perhaps') for option"),
        ("just words\n", "contains an invalid line 'just words'"),
    ],
)
def test_a_bad_rserver_conf_stops_the_server(lab: StandinLab, text: str, message: str) -> None:
    lab.configure("rserver.conf", text)
    for words in ((), ("--test-config",)):
        done = lab.run(*words)
        assert done.returncode == 1
        assert message in done.stderr
    assert lab.log.count(message) == 2


def test_a_bad_rsession_conf_fails_only_the_session(lab: StandinLab) -> None:
    lab.configure("rsession.conf", "session-handle-everything=1\n")
    lab.start("--rsession-proxy-max-wait-secs=2")
    client = lab.client()
    assert client.sign_in(ANN, PASSWORD).error == ""
    assert client.start_session()["error"]["code"] == 1
    log = lab.home / ".local/share/rstudio/log/rsession-ann.log"
    assert "unrecognised option 'session-handle-everything'" in log.read_text()


def test_no_r_no_server(lab: StandinLab) -> None:
    lab.configure("rserver.conf", "rsession-which-r=/nowhere/bin/R\n")
    done = lab.run("--server-daemonize=0", "--server-user=root")
    assert done.returncode == 1
    assert "/nowhere/bin/R" in lab.log


def test_groups_and_plain_passwords(lab: StandinLab) -> None:
    lab.configure("rserver.conf", "auth-required-user-group=analysts\nauth-encrypt-password=0\n")
    lab.start()
    assert lab.client().sign_in(ANN, PASSWORD, encrypts=False).error == "3"
    lab.stop()
    lab.configure(
        "rserver.conf", "auth-required-user-group=analysts,ann\nauth-encrypt-password=0\n"
    )
    lab.start()
    assert lab.client().sign_in(ANN, PASSWORD, encrypts=False).error == ""


def test_a_root_path_changes_addresses_and_nothing_else(lab: StandinLab) -> None:
    lab.start("--www-root-path=/rstudio")
    client = lab.client()
    answer = client.ask("GET", "/")
    assert answer.location.endswith(f":{lab.port}/rstudio/auth-sign-in?appUri=%2F")
    assert client.ask("GET", "/rstudio/").status == 404
    answer = client.sign_in(ANN, PASSWORD)
    assert answer.location.endswith("/rstudio/")
    paths = [value for name, value in answer.headers if name == "Set-Cookie"]
    assert all("path=/rstudio;" in value for value in paths)
    secure = lab.client().ask("GET", "/", **{"X-Forwarded-Proto": "https"})
    assert secure.location.startswith("https://")


def test_the_keys_are_made_once_and_private(running: StandinLab) -> None:
    state = running.folder / "var/lib/rstudio-server"
    for name in ("secure-cookie-key", "session-rpc-key"):
        path = state / name
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(path.read_text()) == 36
    assert (state / "rstudio-os.sqlite").stat().st_size > 0


def test_a_start_that_a_test_wants_to_fail(lab: StandinLab) -> None:
    lab.knob("failing-start=on purpose")
    done = lab.run()
    assert done.returncode == 1
    assert "on purpose" in done.stderr


@pytest.mark.parametrize(
    ("r_version", "is_known"), [("4.1.3", True), ("4.2.2", True), ("4.5.1", True), ("4.6.0", False)]
)
def test_an_r_newer_than_the_server_has_no_plots(r_version: str, is_known: bool) -> None:
    found = find_r.FoundR("R", "", "", "", "", r_version)
    assert (found.engine_problem() == "") == is_known


def test_a_browser_signs_in(lab: StandinLab) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        cannot_run("there is no Chromium: tools/prepare.sh --test")
    lab.start("--auth-sign-in-throttle-seconds=0")
    # Before that, the form is sent as it is, and not encrypted
    is_ready = "!!window.signIn && document.readyState === 'complete'"
    with open_browser(chromium) as browser:
        browser.open(f"http://127.0.0.1:{lab.port}/")
        browser.wait_for(f"document.title === 'RStudio Sign In' && {is_ready}")
        enter = "for (const [id, value] of {0}) document.getElementById(id).value = value;"
        enter += "document.getElementById('signinbutton').click()"
        browser.ask(enter.format(f"[['username', '{ANN}'], ['password', 'wrong']]"))
        browser.wait_for(f"location.search.includes('error=1') && {is_ready}")
        shown = browser.wait_for("document.getElementById('errorpanel').innerText")
        assert shown.strip() == "Incorrect or invalid username/password"
        browser.ask(enter.format(f"[['username', '{ANN}'], ['password', '{PASSWORD}']]"))
        browser.wait_for("document.title.includes('stand-in') && !!client")
        assert browser.ask("document.getElementById('rversion').innerText").startswith("R ")
        browser.ask("document.getElementById('input').value = 'file.create(\"seen\"); 6 * 7'")
        browser.ask("document.getElementById('run').click()")
        browser.wait_for("document.getElementById('output').innerText.includes('[1] 42')")
    assert (lab.home / "seen").exists()


def test_new_versions_look_at_a_whole_configuration(lab: StandinLab) -> None:
    lab.configure("rserver.conf", "admin-enabled=1\nlauncher-port=5559\n")
    lab.configure("rsession.conf", "session-nonsense=1\n")
    lab.claim("2026.05.1+225")
    assert "unrecognised option 'check-config'" in lab.run("--check-config").stderr
    lab.claim("2026.06.0+242")
    done = lab.run("--check-config")
    assert done.returncode == 1
    assert "rserver.conf: unrecognized option(s): admin-enabled, launcher-port\n" in done.stdout
    assert "rsession.conf: unrecognized option(s): session-nonsense\n" in done.stdout
    lab.configure("rserver.conf", "www-port=8787 # as always\n")
    lab.configure("rsession.conf", "session-timeout-minutes=120\n")
    assert lab.run("--check-config").returncode == 0


def test_old_versions_have_two_names_for_the_token(lab: StandinLab) -> None:
    lab.claim("2022.12.0+353")
    lab.start()
    client = lab.client()
    answer = client.sign_in(ANN, PASSWORD, fields={"rs-csrf-token": "", "csrf-token": "forged"})
    assert (answer.status, answer.text) == (400, "Missing or incorrect token.")
    token = client.cookies["csrf-token"]
    fields = {"rs-csrf-token": "", "csrf-token": token}
    assert client.sign_in(ANN, PASSWORD, fields=fields).error == ""


def test_a_server_that_is_up_and_does_not_listen_yet(lab: StandinLab) -> None:
    lab.knob("slow-start-seconds=2\nkey-bits=1024")
    began = time.monotonic()
    lab.start()
    assert time.monotonic() - began > 2


def test_the_package_says_what_it_is(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        cannot_run("there is no dpkg-deb")
    first = build_deb(tmp_path, version="2026.09.0+174", arch="arm64")
    assert first.name == "rstudio-server-2026.09.0-174-arm64.deb"
    fields = ["Package", "Version", "Architecture", "Recommends", "Description"]
    said = subprocess.run(
        ["dpkg-deb", "--field", str(first), *fields], capture_output=True, text=True, check=True
    ).stdout
    assert "Version: 2026.09.0+174+standin1\n" in said
    assert "Recommends: r-base\n" in said
    assert "stand-in for RStudio Server, for tests only" in said
    again = tmp_path / "again"
    again.mkdir()
    second = build_deb(again, version="2026.09.0+174", arch="arm64")
    assert second.read_bytes() == first.read_bytes()
