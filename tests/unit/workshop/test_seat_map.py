"""Seats, their holders, and the generations of their instances."""

import math

import pytest

from sandbox.providers.seats import SeatLabel
from sandbox.workshop.names import claim_host, seat_host, seat_number, seat_word, url_of
from sandbox.workshop.seat_map import (
    Holder,
    Seat,
    SeatMap,
    instance_name,
    label_of,
    longest_workshop_name,
)
from sandbox.workshop.seat_secret import BITS, new_secret

ADA, BO = Holder(name="Ada Lovelace", email="Ada@example.org"), Holder(name="Bo  Li")


def of_three() -> SeatMap:
    return SeatMap(workshop="class").with_more([ADA, BO, None])


def test_seats_are_numbered_on() -> None:
    seats = of_three().with_more([None])
    assert [one.number for one in seats.seats] == [1, 2, 3, 4]
    assert [one.number for one in seats.spare()] == [3, 4]


def test_a_ready_spare_seat_comes_first() -> None:
    seats = of_three().with_more([None])
    seats = seats.with_seat(seats.seat(4).model_copy(update={"ready": True}))
    assert [one.number for one in seats.spare()] == [4, 3]


def test_a_retired_seat_is_given_to_nobody() -> None:
    seats = of_three()
    seats = seats.with_seat(seats.seat(3).model_copy(update={"retired": True}))
    assert list(seats.spare()) == []


def test_only_the_generation_of_the_map_is_the_seat() -> None:
    seats = of_three()
    seats = seats.with_seat(seats.seat(2).model_copy(update={"generation": 2}))
    assert seats.is_current(SeatLabel("class", 2, 2))
    for old in (
        SeatLabel("class", 2, 1),
        SeatLabel("class", 2, 3),
        SeatLabel("class", 9, 1),
        SeatLabel("other", 2, 2),
    ):
        assert not seats.is_current(old)


def test_an_instances_name_says_what_its_label_says() -> None:
    name = instance_name("r-101", 7, 12)
    assert name == "ws-r-101-07-g12"
    assert label_of(name) == SeatLabel("r-101", 7, 12)
    assert label_of("shiny") is None
    assert label_of("ws-r-101-07-g") is None
    longest = "x" * longest_workshop_name()
    assert len(instance_name(longest, 240, 1000)) <= 63


@pytest.mark.parametrize(
    ("name", "email", "seat"),
    [
        ("whoever", "ada@EXAMPLE.org", 1),
        ("Ada Lovelace", "", None),  # has an e-mail: the name alone is not enough
        (" bo li ", "", 2),
        ("bo", "", None),
        ("", "", None),
    ],
)
def test_a_person_of_the_roster_is_found(name: str, email: str, seat: int | None) -> None:
    found = of_three().waiting_for(name, email)
    assert (found.number if found else None) == seat


def test_a_browser_comes_back_to_its_seat_and_nobody_else_gets_it() -> None:
    seats = of_three()
    holder = BO.model_copy(update={"claim": "abc"})
    seats = seats.with_seat(seats.seat(2).model_copy(update={"holder": holder}))
    found = seats.claimed_by("abc")
    assert found is not None
    assert found.number == 2
    assert seats.claimed_by("") is None
    assert seats.claimed_by("abd") is None
    assert seats.waiting_for("Bo Li") is None


def test_there_is_no_such_seat() -> None:
    with pytest.raises(KeyError):
        of_three().seat(4)
    with pytest.raises(KeyError):
        of_three().with_seat(Seat(number=9))


def test_the_map_comes_back_from_its_file() -> None:
    seats = of_three()
    assert SeatMap.model_validate_json(seats.model_dump_json()) == seats


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("seat07", 7),
        ("7", 7),
        ("SEAT120", 120),
        ("0", None),
        ("seat", None),
        ("x7", None),
        ("\u0667", None),
    ],
)
def test_what_somebody_types_for_a_seat(word: str, number: int | None) -> None:
    assert seat_number(word) == number


def test_names_and_addresses() -> None:
    assert seat_word(7) == "seat07"
    assert seat_host(7, "class.example.org") == "seat07.class.example.org"
    assert claim_host("localhost") == "claim.localhost"
    assert url_of("seat07.x", 443, tls=True) == "https://seat07.x/"
    assert url_of("seat07.x", 8080, tls=False) == "http://seat07.x:8080/"


def test_secrets_are_their_own_and_cannot_be_guessed() -> None:
    made = {new_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 14 and not set(one) & set("ilo01") for one in made)
    letters = set("".join(made)) - {"-"}
    assert math.floor(12 * math.log2(len(letters))) == BITS
