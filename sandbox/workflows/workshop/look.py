"""Look into the seats: what their people did last, and which error R said last.

One script runs in a seat, as root. Nothing of a learner is interpreted, and nobody is logged in.
"""

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sandbox.app_logs.answer import AppLogs, logs_script, parse_logs
from sandbox.app_logs.r_errors import last_error
from sandbox.app_logs.r_words import RWords
from sandbox.errors import ProviderError, SandboxError
from sandbox.files import write_whole
from sandbox.paths import data_dir
from sandbox.saved import BrokenFileError
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workflows.workshop.side_by_side import side_by_side
from sandbox.workshop.seat_answer import SeatAnswer, SeatInside, SeatLooks, parse_answer
from sandbox.workshop.store import WorkshopStore
from sandbox.workshop.view import SeatLook

_TIMEOUT_S: Final = 20.0
_AT_ONCE: Final = 2
_PYTHON: Final = ("/usr/bin/python3", "-I", "-c")
_RECENT_S: Final = 30 * 60.0
"""An error of an app that is older than this is nobody's trouble any more."""
_MOST_LETTERS: Final = 300


def looks(store: WorkshopStore) -> Mapping[int, SeatLook]:
    """Return what the keeper saw last in each seat; nothing of a file that is damaged."""
    try:
        found = store.saved("looks.json", SeatLooks)
    except BrokenFileError:
        # It is made again within a minute
        return {}
    return found.seats if found is not None else {}


def look_into(ws: RunningWorkshop, numbers: Sequence[int]) -> Mapping[int, SandboxError]:
    """Look into these seats and keep what was seen; return the errors of those that cannot be."""
    outcomes = side_by_side(numbers, lambda number: _look(ws, number), at_once=_AT_ONCE)
    seen = {one.item: one.result for one in outcomes if one.result is not None}
    if seen:
        with ws.store.hold("looks"):
            known = {one.number for one in ws.map().seats}
            kept = {number: one for number, one in looks(ws.store).items() if number in known}
            text = SeatLooks(seats={**kept, **seen}).model_dump_json()
            write_whole(ws.store.part() / "looks.json", text)
    return {one.item: one.error for one in outcomes if one.error is not None}


def inside(ws: RunningWorkshop, number: int) -> SeatInside:
    """Look into one seat closely: its person's processes, newest files, and the ends of logs.

    Raises:
        UsageError: there is no such seat.
        MemberLostError, ProviderError: its machine does not answer, or says nonsense.
    """
    answer, apps = _ask(ws, number, closely=True)
    now = datetime.now(UTC)
    return SeatInside(
        at=now,
        look=_with_app_error(answer.look(now), apps, now),
        processes=answer.processes,
        files=answer.files,
        logs=answer.logs,
    )


def _look(ws: RunningWorkshop, number: int) -> SeatLook:
    answer, apps = _ask(ws, number)
    now = datetime.now(UTC)
    return _with_app_error(answer.look(now), apps, now)


def _ask(ws: RunningWorkshop, number: int, *, closely: bool = False) -> tuple[SeatAnswer, AppLogs]:
    machine = ws.map().instance_of(ws.seat(number))
    program = (data_dir("templates") / "workshop" / "look").read_text(encoding="utf-8")
    words = (*_PYTHON, program, ws.workshop.user, *(("inside",) if closely else ()))
    plan = ws.record.placement.plan
    apps = [app.name for app in plan.apps]
    more = f" && {logs_script(plan, apps, explain=False)}" if apps else ""
    script = ("/bin/sh", "-c", f"{shlex.join(words)}{more}")
    done = ws.seats.run(machine, script, timeout_s=_TIMEOUT_S)
    try:
        first, _, rest = done.stdout.partition("\n")
        return parse_answer(first), parse_logs(rest) if apps else AppLogs()
    except ValueError as error:
        raise ProviderError(
            f"{machine} says something else than what was asked", details=str(error)[:_MOST_LETTERS]
        ) from error


def _with_app_error(look: SeatLook, logs: AppLogs, now: datetime) -> SeatLook:
    """The error of an app, where it is newer than that of the session."""
    words = RWords(logs.messages)
    for name in logs.apps:
        log = logs.newest(name, within_s=_RECENT_S)
        error = last_error(log.text, words) if log is not None else None
        if log is None or error is None or not error.title:
            continue
        at = datetime.fromtimestamp(max(0.0, now.timestamp() - log.age_s), UTC)
        if look.error_at is None or look.error_at < at:
            text = f"{name}: {error.title}"[:_MOST_LETTERS]
            look = look.model_copy(update={"error": text, "error_at": at})
    return look
