"""Both pages of a workshop in a real browser; the machines of its seats are in memory."""

import importlib.util
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sandbox.spec.workshop import Listen
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.claims import claim_port
from sandbox.workshop.exercise_results import keep_results
from sandbox.workshop.seat_map import Holder, Seat
from sandbox.workshop.view import ExerciseResult, SeatLook
from sandbox.workshop_page import serve
from tests.conftest import cannot_run
from tests.fakes.room import open_room, show_looks
from tests.standin.browser import Browser, open_browser

HOSTILE = (
    "<script>document.title='taken'</script>",
    "\"'><img src=x onerror=\"document.title='taken'\">",
    "\u202eevil\u202c \u2066 x",
    "W" * 500,
)
SIZES = ((1280, 900), (390, 844))


@dataclass
class Site:
    """The two pages of a workshop."""

    ws: RunningWorkshop
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop = threading.Event()
        words = {"stop": self._stop}
        self._thread = threading.Thread(target=serve, args=(self.ws,), kwargs=words)
        self._thread.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", self.ws.workshop.listen.page_port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("the pages do not begin")

    def end(self) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(timeout=10)
        assert not self._thread.is_alive(), "the pages do not end"

    @property
    def trainer(self) -> str:
        return f"http://127.0.0.1:{self.ws.workshop.listen.page_port}"

    @property
    def claim(self) -> str:
        return f"http://claim.localhost:{claim_port(self.ws.workshop.listen)}"


def two_free_ports() -> int:
    """A port that is free, and so is the next."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def a_class(people: int, spare: int = 3) -> RunningWorkshop:
    names = [*HOSTILE, *(f"Person {at}" for at in range(people))][:people]
    port = two_free_ports()
    ws = open_room(
        [*(Holder(name=name) for name in names), *([None] * spare)],
        listen=Listen(page_port=port, port=80 if port != 80 else 81),
        exercises=4,
    )
    now = datetime.now(UTC)
    show_looks(
        ws,
        {
            at: SeatLook(
                at=now,
                active_at=now - timedelta(minutes=at % 17),
                error=f"Error in <b>library(x{at})</b>: there is no package" if at % 7 == 0 else "",
                error_at=now if at % 7 == 0 else None,
                home_mb=3,
            )
            for at in range(1, people + 1)
        },
    )
    keep_results(
        ws.store,
        {
            at: {
                f"ex{ex}": ExerciseResult(
                    holds=None if ex == 3 and at % 5 == 0 else ex < at % 4, words="<i>", at=now
                )
                for ex in range(4)
            }
            for at in range(1, people + 1)
        },
    )
    return ws


ROUNDS = 12
"""So often something may take longer than it may when the machine is not busy."""


@pytest.fixture(scope="module")
def chromium() -> str:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        cannot_run("there is no Chromium: tools/prepare.sh --test")
    return program


@pytest.fixture(params=[30])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sandbox.workflows.workshop.view.proxy.proxy_runs", lambda _: True)
    made = Site(a_class(request.param))
    made.start()
    yield made
    made.end()


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    with open_browser(chromium) as made:
        yield made


def until(browser: Browser, script: str, *, timeout_s: float = 90) -> None:
    """Wait until it is true; an element is."""
    browser.wait_for(f"!!({script})", timeout_s=timeout_s)


def size_to(browser: Browser, width: int, height: int) -> None:
    browser._call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
    )  # fmt: skip


def barriers(browser: Browser) -> Any:
    spec = importlib.util.find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    browser.ask(Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8") + ";0")
    browser.ask(
        "window.found=null;axe.run(document).then(r=>{window.found={passes:r.passes.length,"
        "bad:r.violations.map(v=>v.id+': '+v.nodes.slice(0,3).map(n=>n.html.slice(0,160)+' '"
        "+n.failureSummary).join('; '))}},e=>{window.found={bad:[String(e)],passes:0}});0"
    )
    return browser.wait_for("window.found")


def sign_in(browser: Browser, site: Site) -> None:
    browser.open(site.trainer)
    until(browser, "document.getElementById('secret')")
    browser.ask(f"document.getElementById('secret').value='{site.ws.store.secrets().trainer}'")
    browser.ask("document.querySelector('form').requestSubmit();0")
    until(browser, "document.getElementById('seats')")


def claim_as(browser: Browser, site: Site, name: str) -> None:
    browser.open(site.claim)
    until(browser, "document.getElementById('name')")
    browser.ask(f"document.getElementById('name').value={name!r}")
    # A double click
    browser.ask("let f=document.querySelector('form');f.requestSubmit();f.requestSubmit();0")
    until(browser, "document.querySelector('.pairs')")


def text_of(browser: Browser) -> str:
    return str(browser.ask("document.body.innerText"))


def test_a_learner_claims_a_seat_closes_and_comes_back(site: Site, browser: Browser) -> None:
    claim_as(browser, site, "Person 0")
    secret = site.ws.store.secret_of(5)
    assert "seat05" in text_of(browser)
    assert secret in text_of(browser)
    assert not browser.ask("document.cookie"), "a script can read the cookie"
    browser.open("about:blank")
    until(browser, "location.href === 'about:blank'")
    browser.open(site.claim)
    until(browser, "document.querySelector('.pairs')")
    assert secret in text_of(browser)
    holders = [one.holder for one in site.ws.map().seats]
    assert sum(bool(one and one.claim) for one in holders) == 1
    browser.ask("[...document.querySelectorAll('button')].at(-1).click();0")
    until(browser, "document.body.innerText.includes('knows that you need help')")
    assert site.ws.seat(5).asked_at is not None


def test_somebody_without_a_seat_waits_and_gets_the_one_that_comes(
    site: Site, browser: Browser
) -> None:
    seats = site.ws.map()
    taken = Holder(name="before", claim="x", walk_in=True)
    site.ws.store.change(
        lambda _: seats.model_copy(
            update={
                "seats": tuple(
                    one.model_copy(update={"holder": one.holder or taken}) for one in seats.seats
                )
            }
        )
    )
    browser.open(site.claim)
    until(browser, "document.getElementById('name')")
    browser.ask("document.getElementById('name').value='Late';"
                "document.querySelector('form').requestSubmit();0")  # fmt: skip
    until(browser, "document.body.innerText.includes('No seat is free')")
    site.ws.store.change_seat(31, lambda one: one.model_copy(update={"holder": None}))
    until(browser, "document.body.innerText.includes('Your seat is seat31')")


@pytest.mark.parametrize("size", SIZES)
def test_no_barriers_and_nothing_sticks_out(
    site: Site, browser: Browser, size: tuple[int, int]
) -> None:
    size_to(browser, *size)

    def look(what: str) -> None:
        found = barriers(browser)
        assert found["bad"] == [], (what, found)
        assert found["passes"] > 5
        wide = browser.ask("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], (what, wide)
        assert browser.ask("document.title") != "taken"

    browser.open(site.trainer)
    until(browser, "document.getElementById('secret')")
    look("sign in")
    sign_in(browser, site)
    assert browser.ask("document.querySelectorAll('#seats tr').length") == 33
    look("table")
    browser.ask("document.getElementById('reset-7').click();0")
    until(browser, "document.getElementById('ask').open")
    look("dialog")
    browser.open(f"{site.trainer}/seat/1")
    until(browser, "document.querySelector('#inside .bad, #inside pre, #inside table')")
    look("seat")
    browser.open(site.claim)
    until(browser, "document.getElementById('name')")
    look("claim form")
    claim_as(browser, site, "Person 1")
    look("claimed")


def test_what_happens_elsewhere_is_shown_in_a_second_and_focus_stays(
    site: Site, browser: Browser
) -> None:
    sign_in(browser, site)
    until(browser, "performance.getEntriesByType('resource').length > 2")
    browser.ask("document.getElementById('give-9').focus();0")
    shown_s: list[float] = []
    # Other work on this machine makes one of them slow, not all
    while len(shown_s) < ROUNDS and min(shown_s, default=1.0) >= 1:
        began, now = time.monotonic(), datetime.now(UTC)
        site.ws.store.change_seat(9, partial(Seat.model_copy, update={"asked_at": now}))
        until(browser, "document.querySelector('#seats tr').id === 'seat-9'")
        shown_s.append(time.monotonic() - began)
        assert browser.ask("document.activeElement.id") == "give-9"
        browser.ask("document.getElementById('been-9').click();0")
        until(browser, "document.querySelector('#seats tr').id !== 'seat-9'")
        assert site.ws.seat(9).asked_at is None
        browser.ask("document.getElementById('give-9').focus();0")
    assert min(shown_s) < 1, shown_s


def test_giving_a_seat_to_another_person_by_the_keyboard(site: Site, browser: Browser) -> None:
    sign_in(browser, site)
    before = site.ws.store.secret_of(6)
    browser.ask("document.getElementById('give-6').focus();"
                "document.getElementById('give-6').click();0")  # fmt: skip
    until(browser, "document.getElementById('ask').open")
    # htmx takes the form over some milliseconds after it is shown
    until(browser, "document.querySelector('#ask form')['htmx-internal-data']")
    browser.ask("document.getElementById('ask-name').value='New <b>Person</b>';"
                "document.querySelector('#ask form').requestSubmit();0")  # fmt: skip
    until(browser, "!document.getElementById('ask').open")
    wanted = "document.getElementById('seat-6').innerText.includes('New <b>Person</b>')"
    until(browser, wanted)
    until(browser, "document.getElementById('live').innerText.includes('with a new secret')")
    assert browser.ask("document.activeElement.id") == "give-6"
    assert site.ws.store.secret_of(6) != before


def press(browser: Browser, key: str, code: int, text: str = "") -> None:
    """Press a key, as a person does."""
    for kind in ("keyDown", "keyUp"):
        words = {"text": text} if text and kind == "keyDown" else {}
        browser._call(
            "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **words
        )


def ask_to_push(browser: Browser, number: int, file: Path) -> None:
    """Open the dialog of a seat's button by the keyboard, and choose a file."""
    browser.ask(f"document.getElementById('push-{number}').focus();0")
    press(browser, "Enter", 13, "\r")
    until(browser, "(document.querySelector('#ask form')||{})['htmx-internal-data']")
    root = browser._call("DOM.getDocument")["root"]["nodeId"]
    node = browser._call("DOM.querySelector", nodeId=root, selector="#ask-files")["nodeId"]
    browser._call("DOM.setFileInputFiles", files=[str(file)], nodeId=node)


def test_a_file_is_pushed_by_the_keyboard_and_what_is_refused_is_seen(
    site: Site, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[tuple[str, str, tuple[int, ...]]] = []

    def push(_: RunningWorkshop, paths: list[Path], to: str, numbers: list[int]) -> list[str]:
        pushed.append((paths[0].read_text(encoding="utf-8"), to, tuple(numbers)))
        return []

    monkeypatch.setattr("sandbox.workflows.workshop.push.push", push)
    file = tmp_path / "a file \N{LATIN SMALL LETTER U WITH DIAERESIS}.R"
    file.write_text("x <- 1\n", encoding="utf-8")
    sign_in(browser, site)
    ask_to_push(browser, 7, file)
    browser.ask("let to=document.getElementById('ask-to');to.focus();to.select();0")
    browser._call("Input.insertText", text="course")
    press(browser, "Enter", 13, "\r")
    until(browser, "!document.getElementById('ask').open")
    until(browser, f"document.getElementById('jobs').innerText.includes('Push {file.name} to')")
    assert browser.ask("document.activeElement.id") == "push-7"
    assert pushed == [("x <- 1\n", "course", (7,))]

    told = "document.getElementById('told')"
    too_much = f"({told}||{{}}).innerText?.startsWith('That is too much to send at once')"
    ask_to_push(browser, 7, file)
    browser.ask("document.getElementById('ask-files').dataset.most='3';0")
    browser.ask("document.querySelector('#ask button.main').click();0")
    until(browser, too_much)
    # What is behind an open dialog is neither seen nor heard
    assert browser.ask(f"document.getElementById('ask').contains({told})")
    browser.ask("document.getElementById('ask-files').dataset.most='99999';0")
    monkeypatch.setattr("sandbox.workshop_page.work.MOST_UPLOAD_BYTES", -1)
    browser.ask(f"{told}.remove();document.querySelector('#ask button.main').click();0")
    until(browser, too_much)
    press(browser, "Escape", 27)
    until(browser, "!document.getElementById('ask').open")
    browser.ask("document.getElementById('restart-7').click();0")
    until(browser, too_much)
    assert browser.ask(f"document.querySelector('main').contains({told})")
    site.end()
    browser.ask("document.getElementById('restart-7').click();0")
    until(browser, f"({told}||{{}}).innerText?.startsWith('The server did not answer')")
    site.start()
    assert len(pushed) == 1


def test_the_page_finds_its_stream_again(site: Site, browser: Browser) -> None:
    sign_in(browser, site)
    site.end()
    until(browser, "!document.getElementById('lost').hidden")
    site.start()
    now = datetime.now(UTC)
    site.ws.store.change_seat(8, lambda one: one.model_copy(update={"asked_at": now}))
    until(browser, "document.querySelector('#seats tr').id === 'seat-8'")
    assert browser.ask("document.getElementById('lost').hidden")


@pytest.mark.parametrize("site", [200], indirect=True)
def test_two_hundred_seats_are_painted_in_a_second(site: Site, browser: Browser) -> None:
    sign_in(browser, site)
    script = "(performance.getEntriesByName('first-contentful-paint')[0]||{}).startTime||0"
    paints_ms: list[float] = []
    while len(paints_ms) < ROUNDS and min(paints_ms, default=1000) >= 1000:
        at = len(paints_ms)
        browser.open(f"{site.trainer}/?at={at}")
        until(browser, f"location.search === '?at={at}' && document.readyState === 'complete'")
        paints_ms.append(browser.wait_for(script))
    assert browser.ask("document.querySelectorAll('#seats tr').length") == 203
    assert min(paints_ms) < 1000, paints_ms
