"""The command for passwords: password. They are shown once, on stderr, and kept nowhere."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import Progress, say
from sandbox.cli.settings import NameArgument, context

if TYPE_CHECKING:
    from sandbox.guest.passwords import NewPassword


def tell_passwords(name: str, passwords: "Sequence[NewPassword]") -> None:
    """Tell people's new passwords, which nobody can be told again."""
    if not passwords:
        return
    say(f"passwords for RStudio Server in {name}, shown only now:")
    width = max(len(one.user) for one in passwords)
    for one in passwords:
        say(f"  {one.user:<{width}}  {one.password}")
    say(f"a lost one is replaced by: sandbox password {name} {passwords[0].user}")


def password(
    name: NameArgument,
    user: Annotated[str, typer.Argument(help="A user of the sandbox's box.")],
) -> None:
    """Give a user of RStudio Server a new password, made at random and shown once.

    The one before is no longer right. Sessions that are open stay open.

    sandbox password rstudio ada
    """
    from sandbox.workflows.new_password import new_password

    with Progress() as progress:
        made = new_password(name, user, context=context(progress))
    tell_passwords(name, [made])


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("password")(password)
