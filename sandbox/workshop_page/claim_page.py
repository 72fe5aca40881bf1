"""The page where a learner types a name and gets a seat; it works without JavaScript.

The proxy of the seats leads here, so the address of the browser is what the proxy says.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.workflows.workshop import claims
from sandbox.workflows.workshop.claims import Claimed, ClaimOutcome
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.claims import COOKIE, new_claim
from sandbox.workshop.names import claim_host, seat_word
from sandbox.workshop.seat_map import Seat
from sandbox.workshop_page import pages
from sandbox.workshop_page.guard import FormTooLargeError, Guard, read_form
from sandbox.workshop_page.tries import Tries

FILES: Final = ("page.css", "claim.js")
KEPT_S: Final = 14 * 24 * 3600
"""How long a browser keeps the cookie: a course of some days finds its seats again."""
_WRONG, _WITHIN_S = 10, 120.0
_GUESSES: Final = {ClaimOutcome.ELSEWHERE, ClaimOutcome.OTHER_ADDRESS}
_STATUS: Final = {ClaimOutcome.NO_NAME: 422, ClaimOutcome.SAME_NAME: 409}


@dataclass
class ClaimPage:
    """Answers learners."""

    ws: RunningWorkshop
    say: Callable[[str], None]
    """Tells the trainer something."""
    tries: Tries = field(default_factory=lambda: Tries(_WRONG, _WITHIN_S))

    def app(self) -> ASGIApp:
        """Make the app."""
        host = claim_host(self.ws.workshop.names.domain).lower()
        routes = [
            Route("/", self.show),
            Route("/", self.claim, methods=["POST"]),
            Route("/help", self.help, methods=["POST"]),
            *pages.file_routes(FILES),
        ]
        return Guard(Starlette(routes=routes), lambda asked: asked == host)

    @property
    def _is_encrypted(self) -> bool:
        return self.ws.workshop.tls is not None

    @property
    def cookie_name(self) -> str:
        """The cookie's name; with TLS no other host of the domain can set it."""
        return f"__Host-{COOKIE}" if self._is_encrypted else COOKIE

    async def show(self, request: Request) -> Response:
        """Show the browser's seat, or the form."""
        cookie = self._cookie(request)
        seat = await asyncio.to_thread(claims.seat_of, self.ws, cookie)
        if seat is not None:
            secret = await asyncio.to_thread(self.ws.store.secret_of, seat.number)
            # Read again: the seat may have been given to somebody else, and the secret be theirs
            seat = await asyncio.to_thread(claims.seat_of, self.ws, cookie)
            if seat is not None:
                return self._seat_page(seat, secret)
        answer = self._form()
        if not claims.is_cookie(cookie):
            self._keep(answer, new_claim())
        return answer

    async def claim(self, request: Request) -> Response:
        """Give the browser a seat."""
        try:
            form = await read_form(request)
        except FormTooLargeError:
            return self._form(outcome=ClaimOutcome.NO_NAME, status=413)
        cookie = self._cookie(request)
        name, email = form.get("name", ""), form.get("email", "")
        if not claims.is_cookie(cookie):
            answer = self._form(name=name, email=email, no_cookie=True, status=400)
            self._keep(answer, new_claim())
            return answer
        who = _address(request)
        if wait_s := self.tries.wait_s(who):
            answer = self._form(name=name, email=email, wait_s=wait_s, status=429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        is_another = form.get("another") == "yes"
        claimed = await asyncio.to_thread(
            claims.claim, self.ws, name, email, cookie, is_another=is_another
        )
        if claimed.outcome is ClaimOutcome.SEAT:
            answer = RedirectResponse("/", 303)
            # Again, so that its time begins now
            self._keep(answer, cookie)
            return answer
        if claimed.outcome in _GUESSES:
            self.tries.was_wrong(who)
            self._tell_trainer(claimed, claims.plain_name(name))
        status = _STATUS.get(claimed.outcome, 200)
        return self._form(
            name=name, email=email, outcome=claimed.outcome, status=status, is_another=is_another
        )

    async def help(self, request: Request) -> Response:
        """Tell the trainer that this learner needs help."""
        await asyncio.to_thread(claims.ask_help, self.ws, self._cookie(request))
        return RedirectResponse("/", 303)

    def _seat_page(self, seat: Seat, secret: str) -> Response:
        ws = self.ws
        answer = pages.html(
            "seat_given.html.j2",
            title=self._title,
            seat=seat,
            word=seat_word(seat.number),
            url=ws.url(seat),
            user=ws.workshop.user,
            secret=secret,
            is_encrypted=self._is_encrypted,
        )
        if not seat.ready:
            answer.headers["Refresh"] = "3"
        return answer

    def _form(
        self,
        *,
        name: str = "",
        email: str = "",
        outcome: ClaimOutcome | None = None,
        no_cookie: bool = False,
        is_another: bool = False,
        wait_s: int = 0,
        status: int = 200,
    ) -> Response:
        seats = self.ws.map().seats
        return pages.html(
            "claim.html.j2",
            status,
            title=self._title,
            name=name[: claims.MOST_NAME],
            email=email[: claims.MOST_EMAIL],
            wants_email=any(one.holder is not None and one.holder.email for one in seats),
            outcome=outcome,
            no_cookie=no_cookie,
            is_another=is_another,
            wait_s=wait_s,
            most=claims.MOST_NAME,
        )

    @property
    def _title(self) -> str:
        return self.ws.workshop.description or self.ws.name

    def _cookie(self, request: Request) -> str:
        return request.cookies.get(self.cookie_name, "")

    def _keep(self, answer: Response, cookie: str) -> None:
        answer.set_cookie(
            self.cookie_name,
            cookie,
            max_age=KEPT_S,
            path="/",
            httponly=True,
            secure=self._is_encrypted,
            samesite="lax",
        )

    def _tell_trainer(self, claimed: Claimed, name: str) -> None:
        seat = claimed.seat
        if seat is None:
            return
        why = (
            "which another browser has"
            if claimed.outcome is ClaimOutcome.ELSEWHERE
            else "with another e-mail address"
        )
        self.say(f"Somebody asked for {seat_word(seat.number)} as {name}, {why}.")


def _address(request: Request) -> str:
    """The browser's address; the proxy always says it, and replaces what a browser would claim."""
    said = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return said or (request.client.host if request.client is not None else "")
