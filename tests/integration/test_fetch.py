"""Fetching from a real server, over TLS, through a real proxy: whole and right, or not at all."""

import base64
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.events import Event, StepOutput, ignore
from sandbox.fetch.authorities import authorities_file
from sandbox.fetch.errors import AbsentFileError, FetchError, WrongSumError
from sandbox.fetch.fetcher import Fetcher
from sandbox.fetch.routes import Routes
from sandbox.fetch.store import Store
from sandbox.fetch.transport import Patience
from sandbox.spec.mirrors import Mirrors
from tests.integration.web import BODY, SHA256, Web, authority, proxying, serving

APT_HELPER = "/usr/lib/apt/apt-helper"
HASTY = Patience(connect_s=2, read_s=0.5, tries=3, pauses_s=(0.05,), longest_pause_s=2)
PUBLIC = "https://cdn.posit.co/r/pkgs/r-4.4.1_1_amd64.deb"


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def fetcher(store: Store, mirrors: Mirrors | None = None) -> Fetcher:
    return Fetcher(Routes(mirrors), store, ignore, patience=HASTY)


def left_in(store: Store) -> list[str]:
    """All files in the store but the whole ones and their notes."""
    kept = {"files", "notes"}
    return [
        str(path)
        for path in store.folder.rglob("*")
        if path.is_file() and path.relative_to(store.folder).parts[0] not in kept
    ]


def test_a_file_comes_from_the_mirror_once(web: Web, store: Store) -> None:
    mirrors = Mirrors(posit=f"{web.url}/once")
    found = fetcher(store, mirrors).obtain([PUBLIC])
    assert (found.sha256, found.size_bytes, found.url) == (SHA256, len(BODY), PUBLIC)
    assert found.path.read_bytes() == BODY
    assert found.path.stat().st_mode & 0o077 == 0
    again = fetcher(store, mirrors).obtain([PUBLIC])
    assert again == found
    assert sum("/once/r/pkgs/" in one for one in web.asked) == 1
    assert left_in(store) == []


def test_known_bytes_need_no_network(web: Web, store: Store) -> None:
    fetcher(store).obtain([f"{web.url}/known"])
    elsewhere = "https://nowhere.invalid/file"
    found = fetcher(store).obtain([elsewhere], sha256=SHA256)
    assert found.path.read_bytes() == BODY
    assert found.url == elsewhere


def test_what_is_kept_needs_no_address(store: Store) -> None:
    with store.incoming("own") as fresh:
        fresh.write_bytes(b"own package")
        digest = hashlib.sha256(b"own package").hexdigest()
        store.keep(fresh, digest)
    kept = fetcher(store).obtain(["own_1.0.tar.gz"], sha256=digest)
    assert (kept.path.read_bytes(), kept.url) == (b"own package", "own_1.0.tar.gz")
    with pytest.raises(FetchError, match="only http"):
        fetcher(store).obtain(["own_1.0.tar.gz"], sha256="ab" * 32)


def test_a_damaged_file_is_fetched_again(web: Web, store: Store) -> None:
    url = f"{web.url}/damaged"
    found = fetcher(store).obtain([url])
    found.path.write_bytes(b"damaged")
    assert fetcher(store).obtain([url]).path.read_bytes() == BODY
    assert web.asked.count("GET /damaged") == 2


def test_other_bytes_than_the_checksum_says_are_thrown_away(web: Web, store: Store) -> None:
    with pytest.raises(WrongSumError) as wrong:
        fetcher(store).obtain([f"{web.url}/other"], sha256=SHA256)
    assert SHA256 in wrong.value.message
    assert hashlib.sha256(BODY[::-1]).hexdigest() in wrong.value.message
    assert list(store.files()) == []
    assert left_in(store) == []
    found = fetcher(store).obtain([f"{web.url}/other", f"{web.url}/right"], sha256=SHA256)
    assert found.url == f"{web.url}/right"


def test_a_broken_download_is_tried_again(web: Web, store: Store) -> None:
    assert fetcher(store).obtain([f"{web.url}/cut/a"]).sha256 == SHA256
    assert web.asked.count("GET /cut/a") == 3


@pytest.mark.parametrize(
    ("path", "words"),
    [("alwayscut", "broke off the connection"), ("stall", "stopped answering")],
)
def test_what_does_not_come_whole_leaves_nothing(
    web: Web, store: Store, path: str, words: str
) -> None:
    with pytest.raises(FetchError, match=words):
        fetcher(store).obtain([f"{web.url}/{path}"])
    assert web.asked.count(f"GET /{path}") == HASTY.tries
    assert left_in(store) == []
    assert store.files() == ()


def test_a_server_that_says_less_than_it_sends_is_found_by_the_checksum(
    web: Web, store: Store
) -> None:
    with pytest.raises(WrongSumError):
        fetcher(store).obtain([f"{web.url}/short"], sha256=SHA256)


def test_the_next_address_is_asked(web: Web, store: Store) -> None:
    found = fetcher(store).obtain([f"{web.url}/none", f"{web.url}/there"])
    assert found.url == f"{web.url}/there"
    with pytest.raises(AbsentFileError, match="404 Not Found"):
        fetcher(store).obtain([f"{web.url}/none", f"{web.url}/none/2"])


def test_a_busy_server_is_given_the_time_it_asks_for(web: Web, store: Store) -> None:
    began = time.monotonic()
    assert fetcher(store).obtain([f"{web.url}/busy/1"]).sha256 == SHA256
    assert time.monotonic() - began >= 1
    with pytest.raises(FetchError, match="429 Too Many Requests"):
        fetcher(store).obtain([f"{web.url}/verybusy"])
    assert web.asked.count("GET /verybusy") == 1


def test_existence_is_asked_without_fetching(web: Web, store: Store) -> None:
    its = fetcher(store)
    assert its.exists(f"{web.url}/there")
    assert its.exists(f"{web.url}/nohead/there")
    for status in (403, 404, 410):
        assert not its.exists(f"{web.url}/status/{status}/x")
    with pytest.raises(FetchError, match="500"):
        its.exists(f"{web.url}/status/500/x")
    with pytest.raises(FetchError) as refused:
        its.exists(f"{web.url}/status/401/x")
    assert "\x1b" not in refused.value.message


def test_an_index_is_never_larger_than_it_may_be(web: Web, store: Store) -> None:
    its = fetcher(store)
    assert its.read(f"{web.url}/index", max_bytes=len(BODY)) == BODY
    for path in ("index", "endless"):
        with pytest.raises(FetchError, match="larger than"):
            its.read(f"{web.url}/{path}", max_bytes=len(BODY) - 1)
    assert its.read(f"{web.url}/dated", max_bytes=len(BODY), dated=True) == BODY
    assert its.read(f"{web.url}/dated", max_bytes=len(BODY), dated=True) == BODY
    assert web.asked.count("GET /dated") == 1
    with pytest.raises(FetchError, match="larger than"):
        its.read(f"{web.url}/dated", max_bytes=10, dated=True)


def test_a_sign_in_page_is_no_package(web: Web, store: Store) -> None:
    with pytest.raises(FetchError, match="a web page came in its place"):
        fetcher(store).obtain([f"{web.url}/page/r.deb"])
    with pytest.raises(FetchError, match="what came is not the file: no deb"):
        fetcher(store).obtain([f"{web.url}/file"], looks_wrong=lambda _: "no deb")
    assert store.files() == ()


def test_redirects(web: Web, store: Store) -> None:
    its = fetcher(store)
    assert its.read(f"{web.url}/to//there", max_bytes=len(BODY)) == BODY
    assert its.read(f"{web.url}/to/{web.url}/there", max_bytes=len(BODY)) == BODY
    with pytest.raises(FetchError, match="more than"):
        its.read(f"{web.url}/round", max_bytes=9)
    with pytest.raises(FetchError, match="only http"):
        its.read(f"{web.url}/to/file:///etc/passwd", max_bytes=9)


def test_a_login_goes_to_its_own_server_only(web: Web, store: Store) -> None:
    with serving() as other:
        mirror = web.url.replace("//", "//me:s3cret@")
        its = fetcher(store, Mirrors(posit=f"{mirror}/to/{other.url}/there"))
        its.read(f"{web.url.replace('//', '//me:s3cret@')}/own", max_bytes=len(BODY))
        sent = "Basic " + base64.b64encode(b"me:s3cret").decode()
        assert web.headers[-1]["Authorization"] == sent
        found = its.obtain(["https://cdn.posit.co/x"])
        assert "Authorization" not in other.headers[-1]
        its = fetcher(store, Mirrors(posit=f"{mirror}/none"))
        with pytest.raises(FetchError) as refused:
            its.obtain([PUBLIC])
    told = refused.value
    assert "s3cret" not in f"{told.message}{told.details}{told.hint}{told.url}{found}"
    assert "/none/r/pkgs" in told.details
    notes = [path.read_text() for path in store.folder.rglob("*.json")]
    assert notes
    assert "s3cret" not in "".join(notes)


def test_tls_is_checked_with_the_users_authority(tmp_path: Path, store: Store) -> None:
    pem, context = authority(tmp_path)
    with serving(context) as web:
        with pytest.raises(FetchError, match=r"certificate .* is not trusted") as refused:
            fetcher(store).obtain([f"{web.url}/a"])
        assert "ca_certificates" in refused.value.hint
        trusting = Mirrors(ca_certificates=(str(pem),))
        assert fetcher(store, trusting).obtain([f"{web.url}/a"]).sha256 == SHA256
        with serving() as plain, pytest.raises(FetchError, match="from https to http"):
            fetcher(store, trusting).read(f"{web.url}/to/{plain.url}/x", max_bytes=9)
        assert plain.asked == []


def test_all_goes_through_the_proxy_but_for_no_proxy(tmp_path: Path, store: Store) -> None:
    pem, context = authority(tmp_path)
    with serving(context) as secure, serving() as plain, proxying() as proxy:
        mirrors = Mirrors(proxy=proxy.url, ca_certificates=(str(pem),))
        its = fetcher(store, mirrors)
        its.read(f"{secure.url}/a", max_bytes=len(BODY))
        its.read(f"{plain.url}/a", max_bytes=len(BODY))
        asked = [f"CONNECT {secure.url.removeprefix('https://')}", f"GET {plain.url}/a"]
        assert proxy.asked == asked
        mirrors = mirrors.model_copy(update={"no_proxy": ("127.0.0.0/8",)})
        fetcher(store, mirrors).read(f"{secure.url}/b", max_bytes=len(BODY))
        assert proxy.asked == asked


def test_a_proxy_with_a_login(tmp_path: Path, store: Store) -> None:
    pem, context = authority(tmp_path)
    login = "Basic " + base64.b64encode(b"me:w0rd").decode()
    with serving(context) as secure, serving() as plain, proxying(login) as proxy:
        mirrors = Mirrors(ca_certificates=(str(pem),))
        url = proxy.url.replace("//", "//me:w0rd@")
        its = Fetcher(Routes(mirrors, proxy=url), store, patience=HASTY)
        for web in (secure, plain):
            assert its.read(f"{web.url}/a", max_bytes=len(BODY)) == BODY
        without = Fetcher(Routes(mirrors, proxy=proxy.url), store, patience=HASTY)
        for web in (secure, plain):
            with pytest.raises(FetchError, match="wants a login") as refused:
                without.read(f"{web.url}/a", max_bytes=9)
            assert "{secret: NAME}" in refused.value.hint
        assert "Proxy-Authorization" not in {name for one in secure.headers for name in one}


def test_what_cannot_be_reached_says_why(store: Store) -> None:
    its = fetcher(store)
    with pytest.raises(FetchError, match=r"127.0.0.1:1 cannot be reached \(Connection refused\)"):
        its.read("http://127.0.0.1:1/x", max_bytes=9)
    with pytest.raises(FetchError, match=r"the name of cdn.posit.invalid cannot be resolved"):
        its.read("http://cdn.posit.invalid/x", max_bytes=9)
    proxied = fetcher(store, Mirrors(proxy="http://127.0.0.1:1"))
    with pytest.raises(FetchError, match=r"the proxy 127.0.0.1:1 cannot be reached") as refused:
        proxied.read(PUBLIC, max_bytes=9)
    assert "mirrors.proxy" in refused.value.hint
    with pytest.raises(FetchError) as refused:
        fetcher(store, Mirrors(posit="http://127.0.0.1:1")).obtain([PUBLIC])
    assert PUBLIC in refused.value.message
    assert "`mirrors.posit`" in refused.value.details
    assert "is the address of `mirrors.posit` right" in refused.value.hint


def test_after_a_second_it_says_how_far_it_is(web: Web, store: Store) -> None:
    heard: list[Event] = []
    Fetcher(Routes(), store, heard.append, sandbox="s").obtain([f"{web.url}/slow/r.deb"])
    lines = [one.line for one in heard if isinstance(one, StepOutput)]
    assert lines
    assert all(line.startswith("fetch r.deb: 0 of 0 MB") for line in lines)


CHILD = """
import sys
from pathlib import Path
from sandbox.fetch.fetcher import Fetcher
from sandbox.fetch.routes import Routes
from sandbox.fetch.store import Store
found = Fetcher(Routes(), Store(Path(sys.argv[1]))).obtain([sys.argv[2]])
print(found.sha256)
"""


def child(store: Store, url: str) -> subprocess.Popen[str]:
    words = (sys.executable, "-c", CHILD, str(store.folder), url)
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ)


def test_two_commands_that_want_one_file_fetch_it_once(web: Web, store: Store) -> None:
    url = f"{web.url}/slow/two"
    with child(store, url) as one, child(store, url) as other:
        assert [one.communicate()[0], other.communicate()[0]] == [f"{SHA256}\n"] * 2
    assert web.asked.count("GET /slow/two") == 1
    with ThreadPoolExecutor(8) as pool:
        its = fetcher(store)
        urls = [f"{web.url}/many/{number % 4}" for number in range(16)]
        assert {one.sha256 for one in pool.map(lambda url: its.obtain([url]), urls)} == {SHA256}
    assert sum("/many/" in one for one in web.asked) == 4
    assert left_in(store) == []


def test_a_killed_download_leaves_nothing_for_the_next(web: Web, store: Store) -> None:
    url = f"{web.url}/slow/killed"
    with child(store, url) as one:
        deadline = time.monotonic() + 20
        while not list(store.folder.glob("incoming/.*.new")) and time.monotonic() < deadline:
            time.sleep(0.05)
        one.send_signal(signal.SIGKILL)
    assert len(left_in(store)) == 2, "its half file, and its lock's file"
    assert store.files() == ()
    assert fetcher(store).obtain([url]).path.read_bytes() == BODY
    assert left_in(store) == []


def test_pruning_clears_what_killed_downloads_left(web: Web, store: Store) -> None:
    with child(store, f"{web.url}/slow/pruned") as one, store.hold("ours", on_wait=lambda: None):
        deadline = time.monotonic() + 20
        while not list(store.folder.glob("incoming/.*.new")) and time.monotonic() < deadline:
            time.sleep(0.05)
        store.remove(frozenset())
        assert len(left_in(store)) == 3, "a download that runs is left alone"
        one.send_signal(signal.SIGKILL)
        one.wait()
        store.remove(frozenset())
        assert len(left_in(store)) == 1, "our own lock is held"


def test_commands_say_what_is_wrong_in_the_users_settings(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "sandbox"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text("mirrors:\n  cram: https://in.example\n")
    env = {**os.environ, "XDG_CONFIG_HOME": str(folder.parent), "XDG_STATE_HOME": str(tmp_path)}
    words = (sys.executable, "-c", "from sandbox.cli.app import main; main()", "render", "r")
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert f"{folder}/config.yml:2: mirrors.cram: unknown key `cram`" in done.stderr
    assert "Perhaps you meant `cran`?" in done.stderr
    (folder / "config.yml").write_text("mirrors: {apt: {debian: 'http://in.example/debian'}}\n")
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mirror=http://in.example/debian" in done.stdout


def test_a_loaded_plan_needs_no_web(tmp_path: Path) -> None:
    code = "import sys, sandbox.workflows.up; sys.exit('urllib3' in sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), check=False)
    assert done.returncode == 0


@pytest.mark.skipif(not Path(APT_HELPER).exists(), reason="needs apt")
def test_apt_trusts_the_users_authorities_too(tmp_path: Path) -> None:
    """As mmdebstrap gets them: apt takes one file, and reads it as another user."""
    pem, context = authority(tmp_path)
    routes = Routes(Mirrors(ca_certificates=(str(pem),)))
    with serving(context) as web, authorities_file(routes) as authorities:
        assert authorities is not None
        assert authorities.read_text().count("BEGIN CERTIFICATE") > 1
        for option, status in (
            (f"Acquire::https::CaInfo={authorities}", 0),
            ("Dpkg::Use-Pty=0", 100),
        ):
            words = (APT_HELPER, "-o", option, "-o", "Acquire::Retries=0", "download-file")
            target = tmp_path / f"file-{status}"
            done = subprocess.run(
                (*words, f"{web.url}/a", target), capture_output=True, text=True, check=False
            )
            assert (done.returncode, target.exists()) == (status, status == 0), done.stderr
    assert not authorities.exists()
    with authorities_file(Routes()) as none:
        assert none is None


def test_a_server_without_tls_is_no_matter_of_certificates(web: Web, store: Store) -> None:
    url = web.url.replace("http:", "https:")
    with pytest.raises(FetchError, match=r"TLS with 127.* failed") as refused:
        fetcher(store).read(f"{url}/a", max_bytes=9)
    assert "ca_certificates" not in refused.value.hint
