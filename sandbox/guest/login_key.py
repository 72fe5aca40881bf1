"""Our login key, put back into a machine that does not accept it any more."""

from sandbox.errors import CommandError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.providers.abilities import RenewsLogin
from sandbox.ssh import REFUSED

_LOGIN_S = 30.0


def restore_login(guest: Guest) -> None:
    """Add our key again, where a running machine refuses it or the key is damaged.

    Where the provider offers only ssh, nothing is done: the wait for ssh reports the trouble.

    Raises:
        ProviderError: the machine's account cannot be prepared.
    """
    engine = guest.engine
    if not isinstance(engine, RenewsLogin):
        return
    if guest.has_whole_key() and not _is_refused(guest):
        return
    with step(guest.listener, guest.name, "login key"):
        engine.renew_login(guest.name, guest.make_key(), guest.listener)
    guest.tell("the machine did not let our login key in: it was put back")


def _is_refused(guest: Guest) -> bool:
    try:
        guest.login().run(("true",), timeout_s=_LOGIN_S)
    except CommandError as error:
        return REFUSED in f"{error.stderr}\n{error.details}"
    return False
