"""Give one person a new password for a sandbox's RStudio Server."""

from sandbox.guest.passwords import NewPassword, give_password
from sandbox.state import locked
from sandbox.workflows.context import Context


def new_password(name: str, user: str, *, context: Context) -> NewPassword:
    """Give a user a new password; whoever has the old one cannot sign in with it any more.

    Raises:
        UsageError: no such sandbox, it does not run, or the user is not one who may sign in.
        ProvisionError: the machine does not take it.
    """
    with locked(name) as instance:
        record = instance.require()
        guest = context.guest(record.placement, instance)
        guest.require_running()
        return give_password(guest, user)
