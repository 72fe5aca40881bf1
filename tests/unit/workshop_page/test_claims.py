"""Who gets which seat; two never get one, and nobody gets another's."""

import threading
from collections.abc import Sequence

import pytest

from sandbox.errors import UsageError
from sandbox.spec.workshop import Listen
from sandbox.workflows.workshop import claims
from sandbox.workflows.workshop.claims import ClaimOutcome, claim, give
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.claims import claim_port, hash_of, new_claim
from sandbox.workshop.seat_map import Holder
from tests.fakes.room import open_room

ROSTER = [Holder(name="Ada Lovelace"), Holder(name="Grace Hopper"), None, None]
WITH_EMAIL = [
    Holder(name="Ada", email="ada@example.org"),
    Holder(name="Ada", email="ada2@example.org"),
    None,
]


def number_of(
    ws: RunningWorkshop, name: str, email: str = "", cookie: str = "", **more: bool
) -> int:
    found = claim(ws, name, email, cookie or new_claim(), **more)
    assert found.outcome is ClaimOutcome.SEAT, found
    assert found.seat is not None
    return found.seat.number


def test_a_person_of_the_roster_gets_the_own_seat_and_others_a_spare_one() -> None:
    ws = open_room(ROSTER)
    assert number_of(ws, "  grace   HOPPER ") == 2
    assert number_of(ws, "Somebody Else") == 3
    holder = ws.seat(3).holder
    assert holder is not None
    assert (holder.name, holder.walk_in) == ("Somebody Else", True)


def test_only_the_hash_of_the_cookie_is_kept_and_the_browser_comes_back() -> None:
    ws, cookie = open_room(ROSTER), new_claim()
    assert number_of(ws, "Ada Lovelace", cookie=cookie) == 1
    assert cookie not in (ws.store.folder / "seats.json").read_text()
    assert hash_of(cookie) in (ws.store.folder / "seats.json").read_text()
    assert number_of(ws, "whatever", cookie=cookie) == 1
    found = claims.seat_of(ws, cookie)
    assert found is not None
    assert found.number == 1
    assert claims.seat_of(ws, new_claim()) is None
    assert claims.seat_of(ws, "") is None


def test_a_name_that_another_browser_has_claimed_gets_nothing() -> None:
    ws = open_room(ROSTER)
    number_of(ws, "Ada Lovelace")
    for is_another in (False, True):
        found = claim(ws, "ada lovelace", "", new_claim(), is_another=is_another)
        assert found.outcome is ClaimOutcome.ELSEWHERE
    assert all(one.holder is None for one in ws.map().seats[2:])


def test_two_people_who_are_on_no_list_may_have_one_name() -> None:
    ws = open_room([None, None, None])
    assert number_of(ws, "Kim") == 1
    assert claim(ws, "Kim", "", new_claim()).outcome is ClaimOutcome.SAME_NAME
    assert number_of(ws, "Kim", is_another=True) == 2


def test_two_of_the_roster_with_one_name_get_both_seats() -> None:
    ws = open_room([Holder(name="Kim"), Holder(name="Kim"), None])
    assert {number_of(ws, "Kim"), number_of(ws, "Kim")} == {1, 2}
    assert claim(ws, "Kim", "", new_claim()).outcome is ClaimOutcome.ELSEWHERE


def test_with_addresses_the_address_decides() -> None:
    ws = open_room(WITH_EMAIL)
    assert number_of(ws, "A.", "ADA2@example.org") == 2
    assert claim(ws, "Ada", "", new_claim()).outcome is ClaimOutcome.OTHER_ADDRESS
    assert claim(ws, "Ada", "x@example.org", new_claim()).outcome is ClaimOutcome.OTHER_ADDRESS
    assert claim(ws, "Z", "ada2@example.org", new_claim()).outcome is ClaimOutcome.ELSEWHERE
    assert number_of(ws, "Ada", "ada@example.org") == 1


def test_when_none_is_left_it_says_so_and_a_seat_that_is_not_ready_is_not_given() -> None:
    ws = open_room([None])
    number_of(ws, "Kim")
    assert claim(ws, "Lee", "", new_claim()).outcome is ClaimOutcome.NONE_LEFT
    assert claim(open_room([None], ready=False), "Lee", "", new_claim()).outcome is (
        ClaimOutcome.NONE_LEFT
    )


@pytest.mark.parametrize("name", ["", "   ", "\u202e\u200b", "x" * 121])
def test_a_name_that_is_none(name: str) -> None:
    assert claim(open_room([None]), name, "", new_claim()).outcome is ClaimOutcome.NO_NAME


def test_hidden_characters_of_a_name_go() -> None:
    assert claims.plain_name("Ada\u202e\x00\n <b>\u2066x") == "Ada <b> x"
    assert claims.plain_name("\u0645\u06cc\u200c\u062e") == "\u0645\u06cc\u200c\u062e"


def test_a_workshop_that_closes_gives_no_seat() -> None:
    ws = open_room([None])
    ws.store.write(ws.record.model_copy(update={"is_closing": True}))
    assert claim(ws, "Kim", "", new_claim()).outcome is ClaimOutcome.CLOSING


def test_a_double_click_and_a_crowd_get_one_seat_each() -> None:
    ws = open_room([None] * 12)
    cookies = [new_claim() for _ in range(8)]
    got: list[int] = []

    def go(at: int, cookie: str) -> None:
        got.append(number_of(ws, f"Person {at}", cookie=cookie))

    threads = [
        threading.Thread(target=go, args=(at, cookie))
        for at, cookie in enumerate(cookies)
        for _ in range(2)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(got) == 16
    assert len(set(got)) == 8
    assert sum(one.holder is not None for one in ws.map().seats) == 8


def test_giving_a_seat_away_changes_the_secret_and_forgets_the_old_browser() -> None:
    ws, cookie = open_room(ROSTER), new_claim()
    said: list[tuple[str, object]] = []
    fake = ws.seats

    def answer(_: str, argv: Sequence[str], stdin: object) -> str:
        said.append((argv[0], stdin))
        return ""

    fake.answer = answer  # type: ignore[attr-defined]
    number_of(ws, "Ada Lovelace", cookie=cookie)
    claims.ask_help(ws, cookie)
    old = ws.store.secret_of(1)
    seat = give(ws, 1, "Kim\u202e <b>")
    new = ws.store.secret_of(1)
    assert new != old
    assert said[0] == ("chpasswd", f"learner:{new}\n")
    assert said[1][0] == "sh"
    assert seat.holder == Holder(name="Kim <b>")
    assert seat.asked_at is None
    assert claims.seat_of(ws, cookie) is None
    assert claim(ws, "Ada Lovelace", "", cookie).seat != seat
    assert number_of(ws, "kim <b>") == 1
    assert new not in str(fake.runs)  # type: ignore[attr-defined]


def test_giving_that_is_cut_off_lets_no_browser_in_and_can_be_done_again() -> None:
    ws, cookie = open_room(ROSTER), new_claim()
    number_of(ws, "Ada Lovelace", cookie=cookie)

    def broken(*_: object) -> str:
        raise KeyboardInterrupt

    ws.seats.answer = broken  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        give(ws, 1, "Kim")
    assert claims.seat_of(ws, cookie) is None
    assert claim(ws, "Kim", "", new_claim()).outcome is ClaimOutcome.ELSEWHERE
    ws.seats.answer = lambda *_: ""  # type: ignore[attr-defined]
    give(ws, 1, "Kim")
    assert number_of(ws, "Kim") == 1


def test_a_seat_cannot_be_given_to_nobody() -> None:
    ws = open_room(ROSTER)
    for name in ("", "\u202e", "x" * 121):
        with pytest.raises(UsageError, match="without a name"):
            give(ws, 1, name)
    with pytest.raises(UsageError, match="has no seat99"):
        give(ws, 99, "Kim")


def test_help_is_asked_for_once_and_ends_when_the_trainer_was_there() -> None:
    ws, cookie = open_room(ROSTER), new_claim()
    assert claims.ask_help(ws, cookie) is None
    number_of(ws, "Ada Lovelace", cookie=cookie)
    first = claims.ask_help(ws, cookie)
    again = claims.ask_help(ws, cookie)
    assert first is not None
    assert again is not None
    assert first.asked_at == again.asked_at is not None
    assert claims.been_there(ws, 1).asked_at is None


@pytest.mark.parametrize(
    ("listen", "port"),
    [
        (Listen(), 8091),
        (Listen(port=8091), 8092),
        (Listen(page_port=65535), 65534),
        (Listen(page_port=65535, port=65534), 65533),
    ],
)
def test_the_claim_page_has_a_port_of_its_own(listen: Listen, port: int) -> None:
    assert claim_port(listen) == port
