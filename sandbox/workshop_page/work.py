"""What the trainer's buttons do: a question where one is needed, then work in a thread."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from sandbox.errors import SandboxError
from sandbox.workflows.workshop import claims
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop import packing
from sandbox.workshop.names import seat_word
from sandbox.workshop.seat_map import Seat
from sandbox.workshop_page import pages
from sandbox.workshop_page.actions import Actions
from sandbox.workshop_page.jobs import JobResult, Jobs

MOST_UPLOAD_BYTES: Final = (packing.MOST_MB + 1) * 1024 * 1024
"""As much as goes to every seat at once, and what the form puts around it."""
_MOST_FILES: Final = 100
_MOST_ADDED: Final = 20
_MOST_MINUTES: Final = 24 * 60
_TO: Final = re.compile(r"(?!/)[^\x00-\x1f\\]{1,200}")
_ASKED: Final = ("reset", "push", "give", "collect", "extend", "add", "more")
Route = tuple[str, str, Callable[[Request], Awaitable[Response]]]


class WrongInputError(Exception):
    """What was typed cannot be done; the text says why."""


@dataclass
class Work:
    """Answers the buttons."""

    ws: RunningWorkshop
    actions: Actions
    jobs: Jobs

    def __post_init__(self) -> None:
        """Remove what a process that was killed has left of uploads."""
        shutil.rmtree(self.ws.store.folder / "uploads", ignore_errors=True)

    def routes(self) -> tuple[Route, ...]:
        """List path, method and answer of each button."""
        return (
            ("/ask/{what}", "GET", self.ask),
            ("/ask/{what}/{number:int}", "GET", self.ask),
            ("/do/{what}", "POST", self.do),
            ("/do/{what}/{number:int}", "POST", self.do),
        )

    async def ask(self, request: Request) -> Response:
        """Show the form of a button."""
        what = request.path_params["what"]
        if what not in _ASKED:
            return pages.words("There is no such form.", 404)
        try:
            seat = self._seat(request)
        except SandboxError as error:
            return pages.words(error.message, 404)
        return self._form(what, seat)

    def _form(
        self, what: str, seat: Seat | None, *, wrong: str = "", status: int = 200
    ) -> Response:
        ends = (self.ws.store.read() or self.ws.record).ends
        return pages.html(
            "ask.html.j2",
            status,
            what=what,
            seat=seat,
            word=seat_word(seat.number) if seat is not None else "",
            wrong=wrong,
            ends=ends,
            most_mb=packing.MOST_MB,
            most_added=_MOST_ADDED,
        )

    async def do(self, request: Request) -> Response:
        """Begin what a button asks for."""
        what = request.path_params["what"]
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MOST_UPLOAD_BYTES:
            # To its end: a browser that is still sending would not hear the answer
            async for _ in request.stream():
                pass
            return pages.words("That is too much to send at once.", 413)
        seat: Seat | None = None
        try:
            seat = self._seat(request)
            async with request.form(max_files=_MOST_FILES, max_fields=50) as form:
                began = await self._begin(what, seat, form)
        except WrongInputError as error:
            return self._form(what, seat, wrong=str(error), status=422)
        except SandboxError as error:
            return pages.words(error.message, 404)
        if began is None:
            return pages.words("There is no such button.", 404)
        if not began:
            self.jobs.say("That is being done already.")
        answer = Response(status_code=204)
        answer.headers["HX-Trigger"] = "done"
        return answer

    async def _begin(self, what: str, seat: Seat | None, form: FormData) -> bool | None:
        """Start it; False when it is under way, None when there is no such work."""
        if what == "push":
            return await self._push(seat, form)
        if what == "exercises":
            return self._exercises(seat)
        if seat is None:
            of_all = {"collect": self._collect, "add": self._add, "extend": self._extend}
            return of_all[what](form) if what in of_all else None
        of_seat = {
            "reset": self._reset,
            "restart": self._restart,
            "collect": self._save_home,
            "give": self._give,
            "been-there": self._been_there,
        }
        return of_seat[what](seat, form) if what in of_seat else None

    def _start(
        self, key: str, title: str, work: Callable[[RunningWorkshop], str | JobResult]
    ) -> bool:
        def result(ws: RunningWorkshop) -> JobResult:
            said = work(ws)
            return said if isinstance(said, JobResult) else JobResult(said)

        return self.jobs.start(key, title, self.ws, result)

    def _reset(self, seat: Seat, form: FormData) -> bool:
        number, keep_home = seat.number, form.get("keep") == "yes"
        title = f"Reset {seat_word(number)}:"
        return self._start(
            f"seat {number}", title, lambda ws: self.actions.reset(ws, number, keep_home)
        )

    def _restart(self, seat: Seat, _: FormData) -> bool:
        number = seat.number
        title = f"Restart {seat_word(number)}:"
        return self._start(f"seat {number}", title, lambda ws: self.actions.restart(ws, number))

    def _save_home(self, seat: Seat, _: FormData) -> bool:
        number = seat.number

        def work(ws: RunningWorkshop) -> JobResult:
            self.actions.save_home(ws, number)
            return JobResult("its home is here", link=f"/seat/{number}/home.tar")

        return self._start(f"home {number}", f"Collect {seat_word(number)}:", work)

    def _give(self, seat: Seat, form: FormData) -> bool:
        name, email = claims.plain_name(_text(form, "name")), _text(form, "email")
        if not name or len(name) > claims.MOST_NAME:
            raise WrongInputError(f"Type the name, at most {claims.MOST_NAME} characters.")
        number = seat.number

        def work(ws: RunningWorkshop) -> str:
            claims.give(ws, number, name, email)
            return f"it is the seat of {name} now, with a new secret"

        return self._start(f"seat {number}", f"Give {seat_word(number)} away:", work)

    def _exercises(self, seat: Seat | None) -> bool:
        number = seat.number if seat is not None else None
        of = "all seats" if number is None else seat_word(number)
        return self._start(
            f"exercises {number}",
            f"Exercises of {of}:",
            lambda ws: self.actions.exercises(ws, number),
        )

    def _been_there(self, seat: Seat, _: FormData) -> bool:
        claims.been_there(self.ws, seat.number)
        return True

    def _collect(self, _: FormData) -> bool:
        return self._start("collect", "Collect all homes:", self.actions.collect)

    def _add(self, form: FormData) -> bool:
        count = _number(form, "count", _MOST_ADDED)
        title = f"Add {count} spare seat{'s' if count > 1 else ''}:"
        return self._start("add", title, lambda ws: self.actions.add(ws, count))

    def _extend(self, form: FormData) -> bool:
        minutes = _number(form, "minutes", _MOST_MINUTES)
        now = datetime.now(UTC)
        ends = (self.ws.store.read() or self.ws.record).ends
        new = max(now, ends or now) + timedelta(minutes=minutes)
        title = f"Extend by {minutes} min:"
        return self._start("extend", title, lambda ws: self.actions.extend(ws, new))

    async def _push(self, seat: Seat | None, form: FormData) -> bool:
        to = _text(form, "to") or "."
        if _TO.fullmatch(to) is None or ".." in Path(to).parts:
            raise WrongInputError("The folder must be one below the home, such as `course`.")
        files = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
        named = {_file_name(one): one for one in files if one.filename}
        if not named:
            raise WrongInputError("Choose at least one file.")
        folder = Path(mkdtemp(prefix="push-", dir=self.ws.store.part("uploads")))
        await asyncio.to_thread(_keep, named, folder)
        paths = [folder / name for name in named]
        number = seat.number if seat is not None else None
        of = "all seats" if number is None else seat_word(number)
        what = next(iter(named)) if len(named) == 1 else f"{len(named)} files"

        def work(ws: RunningWorkshop) -> str:
            with _removed(folder):
                return self.actions.push(ws, paths, to, number)

        began = self._start(f"push {number}", f"Push {what} to {of}:", work)
        if not began:
            shutil.rmtree(folder, ignore_errors=True)
        return began

    def _seat(self, request: Request) -> Seat | None:
        number = request.path_params.get("number")
        return None if number is None else self.ws.seat(int(number))


def _keep(named: Mapping[str, UploadFile], folder: Path) -> None:
    for name, upload in named.items():
        with (folder / name).open("xb") as file:
            shutil.copyfileobj(upload.file, file)


@contextmanager
def _removed(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _number(form: FormData, name: str, most: int) -> int:
    text = _text(form, name)
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:6]) <= most:
        raise WrongInputError(f"Type a number from 1 to {most}.")
    return int(text)


def _file_name(upload: UploadFile) -> str:
    """The last part of the name; browsers send no folder, but a form can be made by hand."""
    name = re.split(r"[/\\]", upload.filename or "")[-1]
    if name in {"", ".", ".."} or not name.isprintable() or len(name.encode()) > 200:  # noqa: PLR2004
        raise WrongInputError("One of the files has a name that cannot be used.")
    return name
