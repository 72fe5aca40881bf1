"""Both pages in one process: two listeners, one event loop, ended from outside by an event."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from sandbox.errors import HostError
from sandbox.workflows.workshop.running import RunningWorkshop
from sandbox.workshop.claims import CLAIM_ADDRESS, claim_port
from sandbox.workshop_page import pages
from sandbox.workshop_page.actions import Actions, real_actions
from sandbox.workshop_page.claim_page import ClaimPage
from sandbox.workshop_page.trainer_page import TrainerPage

_BACKLOG = 256
_END_S = 2
_WAKES_S = 0.5


class _Server(uvicorn.Server):
    """Ends when the event is set, and leaves signals to the program that it is a part of."""

    def __init__(
        self,
        config: uvicorn.Config,
        stop: threading.Event,
        at_end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self._stop, self._at_end = stop, at_end

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """Wait for the end, as uvicorn does, which wakes up ten times a second for it."""
        # Zero: with it the date in our answers is made anew
        while not (await self.on_tick(0) or self._stop.is_set()):
            await asyncio.sleep(_WAKES_S)
        if self._at_end is not None:
            await self._at_end()


def serve(ws: RunningWorkshop, *, stop: threading.Event, actions: Actions | None = None) -> None:
    """Answer at both pages until `stop` is set.

    Args:
        ws: the workshop.
        stop: ends it, within some seconds.
        actions: what the page can do; by default the real workflows.

    Raises:
        HostError: a port is taken.
    """
    actions = actions or real_actions()
    listen = ws.workshop.listen
    with (
        _listener(listen.page_address, listen.page_port, "the trainer's page") as for_trainer,
        _listener(CLAIM_ADDRESS, claim_port(listen), "the claim page") as for_claims,
    ):
        asyncio.run(_both(ws, stop, actions, for_trainer, for_claims))


async def _both(
    ws: RunningWorkshop,
    stop: threading.Event,
    actions: Actions,
    for_trainer: socket.socket,
    for_claims: socket.socket,
) -> None:
    pages.prepare()
    trainer = TrainerPage(ws, actions)
    learners = ClaimPage(ws, trainer.say)
    is_local = ipaddress.ip_address(ws.workshop.listen.page_address).is_loopback
    certificate = None if is_local else ws.record.certificate
    key = None if is_local else ws.record.key
    servers = [
        _Server(
            _config(
                trainer.app(is_encrypted=certificate is not None),
                ssl_certfile=str(certificate) if certificate is not None else None,
                ssl_keyfile=str(key) if key is not None else None,
            ),
            stop,
            trainer.board.end,
        ),
        _Server(_config(learners.app()), stop),
    ]
    sockets = (for_trainer, for_claims)
    try:
        await asyncio.gather(
            *(server.serve(sockets=[one]) for server, one in zip(servers, sockets, strict=True))
        )
    finally:
        trainer.close()


def _config(
    app: ASGIApp, *, ssl_certfile: str | None = None, ssl_keyfile: str | None = None
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_END_S,
        ssl_certfile=ssl_certfile,
        ssl_keyfile=ssl_keyfile,
    )


@contextmanager
def _listener(address: str, port: int, what: str) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((address, port))
            made.listen(_BACKLOG)
        except OSError as error:
            raise HostError(
                f"{what} cannot listen on {address} port {port}",
                details=error.strerror or str(error),
                hint="end what listens there (ss -ltnp), or set listen.page_port in the file",
            ) from error
        yield made
