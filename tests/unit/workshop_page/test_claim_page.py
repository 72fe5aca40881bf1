"""What the claim page answers, without a browser."""

import pytest

from sandbox.spec.workshop import Tls
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.seat_map import Holder
from sandbox.workshop_page.claim_page import ClaimPage
from tests.fakes.asgi import Visitor
from tests.fakes.room import open_room

HOST = "claim.localhost:8080"
HOSTILE = ["<script>alert(1)</script>", "\"'><img src=x onerror=a>", "x" * 500, "\u202ea\u2066b"]


def page(ws: RunningWorkshop, said: list[str] | None = None) -> ClaimPage:
    return ClaimPage(ws, (said if said is not None else []).append)


def visitor(made: ClaimPage) -> Visitor:
    return Visitor(made.app(), HOST)


def claimed(made: ClaimPage, name: str) -> Visitor:
    one = visitor(made)
    one.get("/")
    assert one.post("/", {"name": name}).status == 303
    return one


def test_a_seat_with_its_secret_for_this_browser_only() -> None:
    ws = open_room([Holder(name="Ada"), None])
    made = page(ws)
    one = claimed(made, "ada")
    text = one.get("/").text
    assert ws.store.secret_of(1) in text
    assert "http://seat01.localhost:8080/" in text
    assert ws.store.secret_of(1) not in visitor(made).get("/").text


def test_the_cookie_is_for_this_host_and_no_script() -> None:
    ws = open_room([None])
    cookie = visitor(page(ws)).get("/").cookies["sandbox-seat"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "lax", "")
    assert cookie["domain"] == ""
    tls = ws.workshop.model_copy(update={"tls": Tls(certificate="a.pem", key="a.key")})
    safe = RunningWorkshop(
        ws.record.model_copy(update={"workshop": tls}), ws.store, ws.seats, ws.context
    )
    cookie = visitor(page(safe)).get("/").cookies["__Host-sandbox-seat"]
    assert cookie["secure"] is True


def test_without_a_cookie_nobody_gets_a_seat() -> None:
    ws = open_room([None])
    answer = visitor(page(ws)).post("/", {"name": "Kim"})
    assert answer.status == 400
    assert "must keep a cookie" in answer.text
    assert ws.map().seats[0].holder is None


@pytest.mark.parametrize("name", HOSTILE)
def test_what_was_typed_is_never_html(name: str) -> None:
    ws = open_room([None])
    one = visitor(page(ws))
    one.get("/")
    answer = one.post("/", {"name": name})
    text = answer.text if answer.status != 303 else one.get("/").text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "\u202e" not in one.get("/").text
    if len(name) > 120:
        assert answer.status == 422


def test_a_form_from_a_seat_or_from_nowhere_is_refused() -> None:
    ws = open_room([None])
    one = visitor(page(ws))
    one.get("/")
    for headers in (
        {"origin": "http://seat01.localhost:8080"},
        {"origin": "null"},
        {"origin": ""},
        {"sec_fetch_site": "same-site"},
        {"origin": "", "sec_fetch_site": "none"},
    ):
        assert one.post("/", {"name": "Kim"}, **headers).status == 403, headers
    assert ws.map().seats[0].holder is None
    assert one.post("/", {"name": "Kim"}, sec_fetch_site="same-origin").status == 303


def test_another_host_name_gets_nothing() -> None:
    made = page(open_room([None]))
    for host in ("127.0.0.1:8091", "evil.example", "claim.localhost.evil.example", "", "[::1"):
        assert Visitor(made.app(), host).get("/").status == 421


def test_a_name_that_is_taken_shows_no_secret_and_the_trainer_knows() -> None:
    said: list[str] = []
    ws = open_room([Holder(name="Ada"), None])
    made = page(ws, said)
    claimed(made, "Ada")
    other = visitor(made)
    other.get("/")
    answer = other.post("/", {"name": "ADA"})
    assert "ask your trainer" in answer.text
    assert ws.store.secret_of(1) not in answer.text
    assert said == ["Somebody asked for seat01 as ADA, which another browser has."]


def test_guesses_are_counted_for_each_address() -> None:
    ws = open_room([Holder(name="Ada"), None])
    made = page(ws)
    claimed(made, "Ada")
    other = visitor(made)
    other.get("/")
    for _ in range(10):
        assert other.post("/", {"name": "Ada"}, x_forwarded_for="192.0.2.1").status == 200
    answer = other.post("/", {"name": "Kim"}, x_forwarded_for="192.0.2.1")
    assert answer.status == 429
    assert 0 < int(answer.headers["retry-after"]) <= 121
    assert other.post("/", {"name": "Kim"}, x_forwarded_for="192.0.2.2").status == 303


def test_a_form_that_is_too_large_is_not_read() -> None:
    one = visitor(page(open_room([None])))
    one.get("/")
    assert one.post("/", {"name": "x" * 20_000}).status == 413


def test_a_seat_that_is_not_ready_looks_again_by_itself() -> None:
    one = claimed(page(open_room([Holder(name="Ada")], ready=False)), "Ada")
    answer = one.get("/")
    assert answer.headers["refresh"] == "3"
    assert "being made ready" in answer.text


def test_help_reaches_the_map() -> None:
    ws = open_room([Holder(name="Ada")])
    one = claimed(page(ws), "Ada")
    assert one.post("/help").status == 303
    assert ws.seat(1).asked_at is not None
    assert "knows that you need help" in one.get("/").text


def test_every_answer_has_the_policy_and_is_not_kept() -> None:
    answer = visitor(page(open_room([None]))).get("/")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
