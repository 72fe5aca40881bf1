"""Prove that RStudio Server of a machine is ready: somebody signs in, and R writes a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sandbox.checks.check import CannotLook
from sandbox.checks.live import CheckedMachine
from sandbox.checks.quick import live_machine
from sandbox.checks.rstudio import begin_session, proof_of
from sandbox.checks.rstudio_session import NoSession, SignInFailed
from sandbox.errors import ProvisionError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.guest.pages import urls_of
from sandbox.placement import Placement

_LEAVES_S: Final = 10.0
"""How long an interrupted command waits for the account to go; what is left, the next check takes
away, and it expires."""


@contextmanager
def session_beside(
    placement: Placement, machine: CheckedMachine, wait_for_page: Callable[[], object]
) -> Iterator[None]:
    """Start the session of the checks while the block runs; at its end the account is gone.

    Nothing happens on a machine without RStudio Server.

    Args:
        placement: what the machine must be.
        machine: the one whose checks wait for the outcome.
        wait_for_page: returns when the sign-in page may be asked for.
    """
    thread = begin_session(placement, machine, wait_for_page)
    try:
        yield
    except BaseException:
        if thread is not None:
            thread.join(_LEAVES_S)
        raise
    if thread is not None:
        thread.join()


def prove_session(guest: Guest) -> None:
    """Start a session with an account that is there for this only.

    Raises:
        ProvisionError: nobody can work there; with the reason.
    """
    target, status = guest.login(), guest.status()
    with (
        guest.reached_pages(status, target) as pages,
        step(guest.listener, guest.name, "first session") as note,
    ):
        machine = live_machine(target, "", urls_of(pages))
        try:
            proof = proof_of(guest.placement, machine)
        except (NoSession, SignInFailed, CannotLook) as error:
            raise ProvisionError(
                "RStudio Server shows its page, and nobody can work in it",
                details=str(error),
                hint=f"sandbox logs {guest.name}",
            ) from error
        note.text = f"R {proof.version}"
