"""Who gets which seat: learners claim one at their page, the trainer gives one to another person.

Each claim is one change of the seat map, under its lock: two browsers never get one seat. A browser
is known by a cookie that it has before it claims, so a double click finds the seat of the first.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sandbox.errors import UsageError
from sandbox.workflows.workshop.holding import hold_seat
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.secret import end_logins, set_secret
from sandbox.workshop.claims import hash_of
from sandbox.workshop.names import seat_word
from sandbox.workshop.replica_notes import forget_replica
from sandbox.workshop.seat_map import Holder, Seat, SeatMap

MOST_NAME: Final = 120
"""Characters of a name that somebody types."""
MOST_EMAIL: Final = 254
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_BEING_GIVEN: Final = "being given"
"""In the place of a cookie's hash: no browser has it."""
_JOINERS: Final = "\u200c\u200d"
"""Invisible, and part of how some names are spelled."""


class ClaimOutcome(StrEnum):
    """What became of a claim."""

    SEAT = "seat"
    """It has a seat."""
    NO_NAME = "no name"
    """The name is empty or too long."""
    ELSEWHERE = "elsewhere"
    """That person's seat was claimed by another browser."""
    OTHER_ADDRESS = "other address"
    """The list has another e-mail address for that name."""
    SAME_NAME = "same name"
    """Somebody who was on no list has a seat under that name: is it the same person?"""
    NONE_LEFT = "none left"
    """No spare seat is ready."""
    CLOSING = "closing"
    """The workshop is being closed."""


@dataclass(frozen=True)
class Claimed:
    """The answer to a claim."""

    outcome: ClaimOutcome
    seat: Seat | None = None
    """The browser's own seat; for ELSEWHERE the seat in question, which the page must not show."""


def plain_name(text: str) -> str:
    """Return a name on one line, without characters that are not seen or change the direction."""
    kept = (
        one if one in _JOINERS or unicodedata.category(one)[0] != "C" else " "
        for one in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(kept).split())


def is_cookie(text: str) -> bool:
    """Tell whether a text can be a cookie of ours."""
    return _COOKIE.fullmatch(text) is not None


def seat_of(ws: RunningWorkshop, cookie: str) -> Seat | None:
    """Return the seat of the browser with this cookie; None when it has none."""
    return ws.map().claimed_by(hash_of(cookie)) if is_cookie(cookie) else None


def claim(
    ws: RunningWorkshop, name: str, email: str, cookie: str, *, is_another: bool = False
) -> Claimed:
    """Give the browser with this cookie a seat: its own, its person's, or the next spare one.

    Args:
        ws: the workshop.
        name: what somebody typed.
        email: the same; may be empty.
        cookie: the browser's, made by `new_claim`.
        is_another: the person says to be somebody else than a person of that name with a seat.
    """
    if not is_cookie(cookie):
        raise ValueError("a claim needs a cookie of ours")
    record = ws.store.read()
    if record is None or record.is_closing:
        return Claimed(ClaimOutcome.CLOSING)
    name, email = plain_name(name), plain_name(email)
    answer = Claimed(ClaimOutcome.NO_NAME)

    def change(seats: SeatMap) -> SeatMap:
        nonlocal answer
        answer = _answer(seats, Holder(name=name, email=email, claim=hash_of(cookie)), is_another)
        if answer.outcome is not ClaimOutcome.SEAT or answer.seat is None:
            return seats
        return seats.with_seat(answer.seat)

    ws.store.change(change)
    return answer


def _answer(seats: SeatMap, who: Holder, is_another: bool) -> Claimed:  # noqa: FBT001
    own = seats.claimed_by(who.claim)
    if own is not None:
        return Claimed(ClaimOutcome.SEAT, own)
    if not who.name or len(who.name) > MOST_NAME or len(who.email) > MOST_EMAIL:
        return Claimed(ClaimOutcome.NO_NAME)
    now = datetime.now(UTC)
    listed = seats.waiting_for(who.name, who.email)
    if listed is not None and listed.holder is not None:
        holder = listed.holder.model_copy(update={"claim": who.claim, "since": now})
        return Claimed(ClaimOutcome.SEAT, listed.model_copy(update={"holder": holder}))
    refused = _refusal(seats, who, is_another)
    if refused is not None:
        return refused
    spare = next((one for one in seats.spare() if one.ready), None)
    if spare is None:
        return Claimed(ClaimOutcome.NONE_LEFT)
    holder = who.model_copy(update={"since": now, "walk_in": True})
    return Claimed(ClaimOutcome.SEAT, spare.model_copy(update={"holder": holder}))


def _refusal(seats: SeatMap, who: Holder, is_another: bool) -> Claimed | None:  # noqa: FBT001
    """Why this person gets no spare seat: a person of that name is known already."""
    name, email = who.name.casefold(), who.email.casefold()
    same_name = None
    for seat in seats.seats:
        holder = seat.holder
        if holder is None:
            continue
        if email and holder.email.casefold() == email:
            return Claimed(ClaimOutcome.ELSEWHERE, seat)
        if plain_name(holder.name).casefold() != name:
            continue
        if holder.walk_in:
            same_name = Claimed(ClaimOutcome.SAME_NAME, seat)
        elif holder.email:
            # With the right address it would have been found above, or be claimed
            return Claimed(ClaimOutcome.OTHER_ADDRESS, seat)
        else:
            return Claimed(ClaimOutcome.ELSEWHERE, seat)
    return None if is_another else same_name


def ask_help(ws: RunningWorkshop, cookie: str) -> Seat | None:
    """Note that the person of this browser needs the trainer; None when it has no seat."""
    seat = seat_of(ws, cookie)
    if seat is None:
        return None
    now = datetime.now(UTC)
    return ws.store.change_seat(
        seat.number, lambda one: one.model_copy(update={"asked_at": one.asked_at or now})
    )


def been_there(ws: RunningWorkshop, number: int) -> Seat:
    """Note that the trainer has been at a seat whose person asked for help.

    Raises:
        UsageError: there is no such seat.
    """
    ws.seat(number)
    return ws.store.change_seat(number, lambda one: one.model_copy(update={"asked_at": None}))


def give(ws: RunningWorkshop, number: int, name: str, email: str = "") -> Seat:
    """Give a seat to another person, with a new secret; the old person's browser gets in no more.

    What is in the seat's home stays: reset the seat first when the new person must not see it.
    Cut off on the way, no browser can open the seat until it is given again.

    Raises:
        UsageError: there is no such seat, it has no machine, or the name is empty or too long.
        BusyError: another command is at work at it.
        MemberLostError, ProviderError: its machine does not take the new secret.
    """
    name, email = plain_name(name), plain_name(email)
    if not name or len(name) > MOST_NAME or len(email) > MOST_EMAIL:
        raise UsageError(
            f"{seat_word(number)} cannot be given to a person without a name",
            details=f"a name has 1 to {MOST_NAME} characters",
        )
    with hold_seat(ws, number):
        seat = ws.seat(number)
        if not seat.generation or seat.retired:
            raise UsageError(
                f"{seat_word(number)} has no machine", hint=f"sandbox workshop up {ws.name}"
            )
        # First no browser has it: neither the old nor the new one may see a secret half changed
        holder = Holder(name=name, email=email, claim=_BEING_GIVEN)
        first = {"holder": holder, "retired": False, "asked_at": None}
        ws.store.change_seat(number, lambda one: one.model_copy(update=first))
        machine = ws.map().instance_of(seat)
        forget_replica(ws.store, number)
        ws.store.new_secret_of(number)
        set_secret(ws, number, machine)
        end_logins(ws, machine)
        given = {"holder": holder.model_copy(update={"claim": ""})}
        return ws.store.change_seat(number, lambda one: one.model_copy(update=given))
