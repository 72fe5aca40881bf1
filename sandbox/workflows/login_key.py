"""The way in: our login key, and the machine that lets it in, or no longer does."""

from sandbox.engines.base import Engine
from sandbox.engines.login import RenewsLogin
from sandbox.errors import CommandError
from sandbox.events import Listener, Notice, step
from sandbox.guest.login import connect
from sandbox.ssh import REFUSED, has_whole_key, make_key
from sandbox.state import Instance

_LOGIN_S = 30.0


def restore_login(instance: Instance, engine: Engine, listener: Listener) -> None:
    """Let our key in again, where a running machine refuses it or the key is damaged.

    Where the provider offers no other way than ssh, nothing is done: the wait for ssh says so.

    Raises:
        ProviderError: the machine's account cannot be prepared.
    """
    if not isinstance(engine, RenewsLogin):
        return
    if has_whole_key(instance.folder) and not _is_refused(instance, engine):
        return
    name = instance.name
    with step(listener, name, "login key"):
        engine.renew_login(name, make_key(instance.folder), listener)
    listener(Notice(name, "the machine did not let our login key in: it was put back"))


def _is_refused(instance: Instance, engine: Engine) -> bool:
    try:
        connect(instance, engine).run(("true",), timeout_s=_LOGIN_S)
    except CommandError as error:
        return REFUSED in f"{error.stderr}\n{error.details}"
    return False
