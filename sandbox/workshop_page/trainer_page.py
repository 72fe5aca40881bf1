"""The trainer's page: all seats in one table that keeps itself up to date, behind a secret."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.errors import SandboxError
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.claims import is_secret
from sandbox.workshop.names import seat_word
from sandbox.workshop.proxy_config import fronts_of
from sandbox.workshop_page import pages
from sandbox.workshop_page.actions import Actions
from sandbox.workshop_page.board import Board, News, Sent, Shown
from sandbox.workshop_page.guard import FormTooLargeError, Guard, read_form, trainer_hosts
from sandbox.workshop_page.jobs import Jobs
from sandbox.workshop_page.rows import Row, moment, rows_of
from sandbox.workshop_page.session import LASTS_S, cookie_name, is_session, new_session
from sandbox.workshop_page.tries import Tries
from sandbox.workshop_page.work import Work

FILES: Final = ("page.css", "page.js", "htmx/htmx.min.js")
_WRONG, _WITHIN_S = 5, 60.0
_SLOW_S: Final = 1.0
"""How long the answer to a wrong secret takes."""
_STILL_HERE_S: Final = 15.0
_WATCHED: Final = ("seats.json", "looks.json", "exercises.json", "workshop.json")
Answering = Callable[[Request], Awaitable[Response]]


class TrainerPage:
    """Answers the trainer."""

    def __init__(self, ws: RunningWorkshop, actions: Actions, *, slow_s: float = _SLOW_S) -> None:
        self.ws, self.actions = ws, actions
        self._slow_s = slow_s
        self._tries = Tries(_WRONG, _WITHIN_S)
        self._is_encrypted = False
        self._token = secrets.token_urlsafe(6)
        self.jobs = Jobs(self._poke)
        self.board = Board(lambda: actions.view(ws), self.jobs.newest, self._stamp)
        self.work = Work(ws, actions, self.jobs)

    def app(self, *, is_encrypted: bool = False) -> ASGIApp:
        """Make the app."""
        self._is_encrypted = is_encrypted
        said = self.ws.workshop
        inside = [
            Route("/", self._inside(self.table, to_form=True)),
            Route("/events", self._inside(self.events)),
            Route("/sign-out", self._inside(self.sign_out), methods=["POST"]),
            Route("/seat/{number:int}", self._inside(self.seat, to_form=True)),
            Route("/seat/{number:int}/inside", self._inside(self.look_inside)),
            Route("/seat/{number:int}/home.tar", self._inside(self.home)),
            *(
                Route(path, self._inside(answer), methods=[method])
                for path, method, answer in self.work.routes()
            ),
        ]
        routes = [
            *inside,
            Route("/sign-in", self.sign_in, methods=["POST"]),
            *pages.file_routes(FILES),
        ]
        is_ours = trainer_hosts(said.listen.page_address, said.names.domain)
        return Guard(Starlette(routes=routes), is_ours)

    def say(self, text: str) -> None:
        """Tell all trainers something."""
        self.jobs.say(text)

    def _poke(self) -> None:
        self.board.poke()

    def close(self) -> None:
        """Begin no more work."""
        self.jobs.close()

    def _inside(self, answer: Answering, *, to_form: bool = False) -> Answering:
        async def checked(request: Request) -> Response:
            cookie = request.cookies.get(cookie_name(self.ws.name), "")
            if is_session(await self._secret(), cookie):
                return await answer(request)
            if to_form:
                return self._sign_in_form()
            refusal = pages.words("Sign in first.", 401)
            # For htmx: the page itself shows the form
            refusal.headers["HX-Refresh"] = "true"
            return refusal

        return checked

    async def _secret(self) -> str:
        return (await asyncio.to_thread(self.ws.store.secrets)).trainer

    async def sign_in(self, request: Request) -> Response:
        """Let in somebody who knows the secret; slowly, when it was wrong."""
        who = request.client.host if request.client is not None else ""
        if wait_s := self._tries.wait_s(who):
            answer = self._sign_in_form(wait_s=wait_s, status=429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        try:
            given = (await read_form(request)).get("secret", "").strip()
        except FormTooLargeError:
            given = ""
        secret = await self._secret()
        if not is_secret(given, secret):
            self._tries.was_wrong(who)
            await asyncio.sleep(self._slow_s)
            return self._sign_in_form(was_wrong=True, status=403)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            cookie_name(self.ws.name),
            new_session(secret),
            max_age=LASTS_S,
            path="/",
            httponly=True,
            secure=self._is_encrypted,
            samesite="strict",
        )
        return answer

    async def sign_out(self, _: Request) -> Response:
        """Make this browser a stranger again."""
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(cookie_name(self.ws.name), path="/")
        return answer

    def _sign_in_form(
        self, *, was_wrong: bool = False, wait_s: int = 0, status: int = 200
    ) -> Response:
        return pages.html(
            "sign_in.html.j2", status, name=self.ws.name, was_wrong=was_wrong, wait_s=wait_s
        )

    async def table(self, request: Request) -> Response:
        """Show the whole page."""
        by_seat = request.query_params.get("order") == "seat"
        shown = await self.board.fresh()
        return pages.html(
            "trainer.html.j2",
            title=shown.title or self.ws.name,
            shown=shown,
            rows=shown.ordered(by_seat=by_seat),
            by_seat=by_seat,
            seen=self._seen(),
            app_path=self._app_path(),
        )

    async def events(self, request: Request) -> Response:
        """Send what changes, for as long as the page is open."""
        by_seat = request.query_params.get("order") == "seat"
        sent = Sent()
        if request.query_params.get("seen") == self._seen():
            # The page was made of just this: nothing is sent twice
            sent.take(self.board.shown, by_seat=by_seat)
        stream = self._stream(sent, by_seat=by_seat)
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _stream(self, sent: Sent, *, by_seat: bool) -> AsyncIterator[str]:
        board, version = self.board, -1
        async with board.watching():
            yield "retry: 2000\n\n"
            while not board.is_over:
                newest = await board.after(version, _STILL_HERE_S)
                shown = board.shown
                change = sent.take(shown, by_seat=by_seat)
                if change.is_any:
                    yield event("swap", self._fragments(change, shown))
                    for job in change.news:
                        yield event("say", f"{job.title} {job.words}")
                elif newest == version:
                    yield ": still here\n\n"
                version = newest

    def _fragments(self, change: News, shown: Shown) -> str:
        return pages.text_of(
            "changes.html.j2", change=change, shown=shown, app_path=self._app_path()
        )

    async def seat(self, request: Request) -> Response:
        """Show one seat: what its row says, whole, and what is inside."""
        number = int(request.path_params["number"])
        try:
            view = await asyncio.to_thread(self.actions.view, self.ws)
        except SandboxError as error:
            return pages.words(error.message, 503)
        found = next((one for one in view.seats if one.number == number), None)
        if found is None:
            return pages.words(f"There is no {seat_word(number)}.", 404)
        row: Row = next(one for one in rows_of(view) if one.number == number)
        return pages.html(
            "seat.html.j2",
            title=view.title or view.name,
            seat=found,
            row=row,
            app_path=self._app_path(),
        )

    async def look_inside(self, request: Request) -> Response:
        """Show files, log and processes of a seat; nobody logs in there for it."""
        number = int(request.path_params["number"])
        try:
            inside = await asyncio.to_thread(self.actions.inside, self.ws, number)
        except SandboxError as error:
            return pages.html("inside.html.j2", inside=None, error=error, when=moment)
        return pages.html("inside.html.j2", inside=inside, error=None, when=moment)

    async def home(self, request: Request) -> Response:
        """Send the newest copy of a seat's home."""
        number = int(request.path_params["number"])
        file: Path = self.ws.store.home_of(number)
        if not file.is_file():
            return pages.words(f"There is no copy of the home of {seat_word(number)} yet.", 404)
        return FileResponse(file, media_type="application/x-tar", filename=file.name)

    def _seen(self) -> str:
        return f"{self._token}-{self.board.version}"

    def _app_path(self) -> str:
        """Where the apps of a seat are under its address; empty when the box has none."""
        fronts = fronts_of(self.ws.record.placement.plan.services)
        return next((one.path for one in fronts if one.server == "shiny_server"), "")

    def _stamp(self) -> object:
        found = []
        for name in _WATCHED:
            try:
                seen = (self.ws.store.folder / name).stat()
            except FileNotFoundError:
                continue
            found.append((name, seen.st_mtime_ns, seen.st_ino))
        return tuple(found)


def event(name: str, text: str) -> str:
    """Write an event of a stream; a text of several lines stays one event."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() if line.strip()) or "data: \n"
    return f"event: {name}\n{lines}\n"
