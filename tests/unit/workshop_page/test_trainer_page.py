"""What the trainer's page answers, without a browser."""

import asyncio
import hashlib
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.errors import ProviderError
from sandbox.paths import data_dir
from sandbox.spec.workshop import Listen
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.packing import MOST_MB
from sandbox.workshop.seat_map import Holder
from sandbox.workshop.view import SeatLook
from sandbox.workshop_page.actions import real_actions
from sandbox.workshop_page.guard import trainer_hosts
from sandbox.workshop_page.session import LASTS_S, is_session, new_session
from sandbox.workshop_page.trainer_page import TrainerPage, event
from tests.fakes.asgi import Visitor
from tests.fakes.room import open_room, show_looks

HOST = "127.0.0.1:8090"
HOSTILE = ["<script>x</script>", "\"'><img src=x>", "x" * 500, "\u202ea"]
PEOPLE = [*(Holder(name=one) for one in HOSTILE), Holder(name="Ada"), None]


def trainer(ws: RunningWorkshop, **changes: object) -> TrainerPage:
    return TrainerPage(ws, replace(real_actions(), **changes), slow_s=0)  # type: ignore[arg-type]


def signed_in(made: TrainerPage) -> Visitor:
    one = Visitor(made.app(), HOST)
    assert one.post("/sign-in", {"secret": made.ws.store.secrets().trainer}).status == 303
    return one


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(made: TrainerPage) -> str:
    until(lambda: bool(made.jobs.newest()) and not any(one.runs for one in made.jobs.newest()))
    return f"{made.jobs.newest()[0].title} {made.jobs.newest()[0].words}"


def test_a_stranger_sees_the_form_and_nothing_else() -> None:
    made = trainer(open_room(PEOPLE))
    one = Visitor(made.app(), HOST)
    text = one.get("/").text
    assert 'action="/sign-in"' in text
    assert "Ada" not in text
    for path in ("/events", "/seat/1/inside", "/seat/1/home.tar", "/ask/reset/1"):
        assert one.get(path).status == 401, path
    for path in ("/do/reset/1", "/do/extend", "/sign-out"):
        assert one.post(path).status == 401, path
    assert 'action="/sign-in"' in one.get("/seat/1").text
    assert made.jobs.newest() == ()


def test_the_cookie_is_strict_and_the_secret_is_slow_to_guess() -> None:
    made = trainer(open_room(PEOPLE))
    one = Visitor(made.app(), HOST)
    for _ in range(5):
        assert one.post("/sign-in", {"secret": "x"}).status == 403
    answer = one.post("/sign-in", {"secret": made.ws.store.secrets().trainer})
    assert answer.status == 429
    cookie = Visitor(trainer(made.ws).app(), HOST).post(
        "/sign-in", {"secret": made.ws.store.secrets().trainer}
    ).cookies["sandbox-trainer-class"]  # fmt: skip
    assert (cookie["httponly"], cookie["samesite"]) == (True, "strict")
    assert made.ws.store.secrets().trainer not in cookie.value


def test_a_session_ends_and_cannot_be_made_up() -> None:
    cookie = new_session("secret", now_s=1000)
    assert is_session("secret", cookie, now_s=1000 + LASTS_S - 2)
    assert not is_session("secret", cookie, now_s=1000 + LASTS_S + 1)
    assert not is_session("other", cookie, now_s=1000)
    ends, rest = cookie.split(".", 1)
    assert not is_session("secret", f"{int(ends) + 1}.{rest}", now_s=1000)
    for wrong in ("", ".", "a.b.c", cookie[:-1], "é"):
        assert not is_session("secret", wrong, now_s=1000)


def test_the_table_escapes_everything() -> None:
    ws = open_room(PEOPLE)
    now = datetime.now(UTC)
    show_looks(ws, {1: SeatLook(at=now, error="<b>bad</b>", error_at=now)})
    one = signed_in(trainer(ws))
    for path in ("/", "/seat/1", "/seat/2", "/seat/4"):
        text = one.get(path).text
        assert "<script>x" not in text
        assert "<img" not in text
        assert "<b>bad" not in text
        assert "\u202e" not in text
        assert not re.search(r" on[a-z]+=", text), path
    assert one.get("/").text.count('<tr id="seat-') == len(PEOPLE)
    assert one.get("/seat/99").status == 404


def test_strange_hosts_and_forms_are_refused() -> None:
    made = trainer(open_room(PEOPLE))
    one = signed_in(made)
    for host in ("evil.example:8090", "127.0.0.2:8090", "", "localhost.evil.example"):
        assert one.get("/", host=host).status == 421, host
    for origin in ("http://evil.example", "", "null"):
        assert one.post("/do/restart/1", origin=origin).status == 403
    assert made.jobs.newest() == ()
    assert one.get("/do/restart/1").status == 405


@pytest.mark.parametrize(
    ("address", "host", "ours"),
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "class.example.org", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "class.example.org", True),
        ("192.0.2.7", "localhost", False),
        ("0.0.0.0", "192.0.2.9", True),
        ("0.0.0.0", "evil.example", False),
        ("::1", "::1", True),
    ],
)
def test_hosts_of_the_page(address: str, host: str, ours: bool) -> None:
    assert trainer_hosts(address, "class.example.org")(host) is ours


def test_a_button_begins_work_once_and_says_how_it_went() -> None:
    begin, calls = threading.Event(), []

    def reset(_: RunningWorkshop, number: int, keep_home: bool) -> str:
        calls.append((number, keep_home))
        begin.wait(5)
        return "it has a new machine"

    made = trainer(open_room(PEOPLE), reset=reset)
    one = signed_in(made)
    answer = one.post("/do/reset/5", {"keep": "yes"})
    assert (answer.status, answer.headers["hx-trigger"]) == (204, "done")
    one.post("/do/reset/5")
    one.post("/do/restart/5")
    begin.set()
    until(lambda: not any(job.runs for job in made.jobs.newest()))
    assert calls == [(5, True)]
    titles = [f"{job.title} {job.words}".strip() for job in made.jobs.newest()]
    assert titles.count("That is being done already.") == 2
    assert "Reset seat05: it has a new machine" in titles


def test_work_that_fails_is_told_with_its_hint() -> None:
    def collect(_: RunningWorkshop) -> str:
        raise ProviderError("no room", details="disk full", hint="df -h")

    made = trainer(open_room(PEOPLE), collect=collect)
    signed_in(made).post("/do/collect")
    assert ended(made) == "Collect all homes: no room: disk full"
    job = made.jobs.newest()[0]
    assert (job.failed, job.hint) == (True, "df -h")
    assert "df -h" in signed_in(made).get("/").text


def test_a_bug_in_the_work_is_told_and_the_page_goes_on() -> None:
    def add(_: RunningWorkshop, count: int) -> str:
        raise ZeroDivisionError(count)

    made = trainer(open_room(PEOPLE), add=add)
    one = signed_in(made)
    assert one.post("/do/add", {"count": "2"}).status == 204
    assert "ZeroDivisionError" in ended(made)
    assert one.get("/").status == 200


@pytest.mark.parametrize(
    ("path", "form", "words"),
    [
        ("/do/add", {"count": "0"}, "from 1 to 20"),
        ("/do/add", {"count": "²"}, "from 1 to 20"),
        ("/do/extend", {"minutes": "9" * 5000}, "from 1 to 1440"),
        ("/do/give/1", {"name": "\u202e"}, "Type the name"),
    ],
)
def test_wrong_input_stays_in_the_dialog(path: str, form: dict[str, str], words: str) -> None:
    made = trainer(open_room(PEOPLE))
    answer = signed_in(made).post(path, form)
    assert answer.status == 422
    assert words in answer.text
    assert made.jobs.newest() == ()


def test_extending_counts_from_the_end_that_is_set() -> None:
    ws = open_room(PEOPLE)
    made = trainer(ws)
    signed_in(made).post("/do/extend", {"minutes": "30"})
    ended(made)
    assert ws.record.ends is not None
    new = ws.store.require().ends
    assert new is not None
    assert (new - ws.record.ends).total_seconds() == 1800


def upload(name: str, to: str = "course") -> bytes:
    return (
        f'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n{to}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
    ).encode()


def test_files_are_pushed_under_their_own_names_and_then_removed() -> None:
    got: list[tuple[list[str], str, int | None, bytes]] = []

    def push(_: RunningWorkshop, paths: list[Path], to: str, number: int | None) -> str:
        got.append(([one.name for one in paths], to, number, paths[0].read_bytes()))
        return "all have them"

    made = trainer(open_room(PEOPLE), push=push)
    one = signed_in(made)
    kind = "multipart/form-data; boundary=b"
    assert one.send("/do/push/2", upload("../../etc/x.R"), kind).status == 204
    ended(made)
    assert got == [(["x.R"], "course", 2, b"hello")]
    assert list((made.ws.store.folder / "uploads").iterdir()) == []
    for name, to in (("..", "a"), ("a\x01b", "a"), ("x.R", "../up"), ("x.R", "/etc"), ("", "a")):
        assert one.send("/do/push", upload(name, to), kind).status == 422, (name, to)
    most = MOST_MB * 1024 * 1024
    assert f'data-most="{most}"' in one.get("/ask/push").text
    # What goes to the seats at once may be sent, and not much more
    assert one.post("/do/push", {}, content_length=f"{most + 1000}").status == 422
    assert one.post("/do/push", {}, content_length=f"{most + 2 * 1024 * 1024}").status == 413


def test_the_newest_copy_of_a_home_is_sent_as_a_file() -> None:
    ws = open_room(PEOPLE)
    one = signed_in(trainer(ws))
    assert one.get("/seat/1/home.tar").status == 404
    ws.store.home_of(1).write_bytes(b"tar")
    answer = one.get("/seat/1/home.tar")
    assert answer.body == b"tar"
    assert "attachment" in answer.headers["content-disposition"]


def test_htmx_is_the_file_that_its_note_names() -> None:
    folder = Path(data_dir("templates"), "workshop/page/htmx")
    found = hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest()
    assert f"`{found}`" in (folder / "SOURCE.md").read_text(encoding="utf-8")
    one = Visitor(trainer(open_room(PEOPLE)).app(), HOST)
    source = re.search(r'href="(/static/page[^"]+)"', one.get("/").text)
    assert source is not None
    answer = one.get(source[1])
    assert answer.status == 200
    assert "immutable" in answer.headers["cache-control"]
    assert one.get("/static/..%2f..%2fslips.html.j2").status == 404


def test_an_event_of_many_lines_is_one_event() -> None:
    assert event("swap", "a\n\nb\r\nevent: x") == (
        "event: swap\ndata: a\ndata: b\ndata: event: x\n\n"
    )


def streamed(made: TrainerPage, change: Callable[[], None], wanted: str) -> str:
    """What a page gets after a change, that knew all before it."""

    async def go() -> str:
        from sandbox.workshop_page.board import Sent

        # The first look does not know yet what the processors do
        await made.board.fresh()
        await made.board.fresh()
        sent = Sent()
        sent.take(made.board.shown, by_seat=False)
        stream: AsyncIterator[str] = made._stream(sent, by_seat=False)
        assert await anext(stream) == "retry: 2000\n\n"
        change()
        async with asyncio.timeout(5):
            found = ""
            while wanted not in found:
                found += await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    return asyncio.run(go())


def test_only_rows_that_changed_are_sent_and_nobody_looks_when_nobody_is_there() -> None:
    ws = open_room([Holder(name="Ada"), Holder(name="Kim"), None])
    made = trainer(ws)

    def rename() -> None:
        ws.store.change_seat(
            2, lambda one: one.model_copy(update={"holder": Holder(name="<b>Lee</b>")})
        )

    text = streamed(made, rename, "Lee")
    assert 'id="seat-2"' in text
    assert 'hx-swap-oob="true"' in text
    assert 'id="seat-1"' not in text
    assert "<tbody" not in text
    assert "&lt;b&gt;Lee" in text
    assert made.board.watchers == 0
    looks = made.board.looks
    time.sleep(0.6)
    assert made.board.looks == looks


def test_a_new_order_sends_the_table_and_a_job_is_read_aloud() -> None:
    ws = open_room([Holder(name="Ada"), Holder(name="Kim"), None])
    made = trainer(ws)
    now = datetime.now(UTC)

    def ask() -> None:
        ws.store.change_seat(2, lambda one: one.model_copy(update={"asked_at": now}))

    text = streamed(made, ask, "<tbody")
    assert text.index('id="seat-2"') < text.index('id="seat-1"')
    made = trainer(ws)
    text = streamed(made, lambda: made.say("Somebody <i> asked"), "event: say")
    assert "data: Somebody <i> asked" in text
    assert "&lt;i&gt;" in text


def test_a_view_that_fails_is_told_and_the_last_one_stays() -> None:
    ws = open_room(PEOPLE)
    broken: list[bool] = []

    def view(_: RunningWorkshop) -> object:
        if broken:
            raise ProviderError("Incus does not answer")
        return real_actions().view(ws)

    made = trainer(ws, view=view)
    one = signed_in(made)
    assert "does not answer" not in one.get("/").text
    broken.append(True)
    text = one.get("/").text
    assert "The seats cannot be seen now: Incus does not answer" in text
    assert "seat05" in text


def test_the_page_listens_where_it_is_told() -> None:
    listen = Listen(page_address="192.0.2.7")
    made = trainer(open_room(PEOPLE, listen=listen))
    assert Visitor(made.app(), "192.0.2.7:8090").get("/").status == 200
    assert Visitor(made.app(), "127.0.0.1:8090").get("/").status == 421
