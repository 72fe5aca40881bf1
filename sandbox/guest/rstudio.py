"""Prove that RStudio Server of a machine is ready: somebody signs in, and R writes a file."""

from sandbox.checks.check import CannotLook
from sandbox.checks.quick import live_machine
from sandbox.checks.rstudio import proof_of
from sandbox.checks.rstudio_session import NoSession, SignInFailed
from sandbox.errors import ProvisionError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.guest.pages import urls_of


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
