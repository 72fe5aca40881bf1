"""Checks of `services.rstudio_server` beyond the models: keys, the R of its sessions, the base."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sandbox.spec.problem import Problem, alternatives, code, near
from sandbox.spec.r_installed import MachineR
from sandbox.spec.rstudio import RstudioConfig, RstudioServer
from sandbox.spec.rstudio_keys import RstudioFile, RstudioKey, Standing, is_of, rstudio_file
from sandbox.spec.rstudio_r import asked_rs, minor_of, session_r
from sandbox.spec.rstudio_version import (
    FOCAL_LAST,
    first_for,
    newest_r_below,
    suggested_for,
)

if TYPE_CHECKING:
    from sandbox.spec.semantics import BoxContext

_PLACE: Final = ("services", "rstudio_server")
_FILES: Final = ("rserver", "rsession", "logging", "database")
_WITH_OLD_OPENSSL: Final = frozenset({"bullseye"})
"""Releases that have OpenSSL 1.1."""
_CONSEQUENCE: Final = {
    "rserver": "with an unknown key the server does not start",
    "rsession": "with an unknown key people sign in and get no R session",
    "logging": "nobody would read it",
    "database": "nobody would read it",
}


def rstudio_problems(context: "BoxContext") -> Iterator[Problem]:
    """Yield what does not fit in `services.rstudio_server`."""
    rstudio = context.box.services.rstudio_server
    if rstudio is None:
        return
    yield from _base(context, rstudio)
    yield from _keys(context, rstudio)
    yield from _accepted(context, rstudio)
    yield from _r(context, rstudio)
    yield from _people(context, rstudio)


def _base(context: "BoxContext", rstudio: RstudioServer) -> Iterator[Problem]:
    base = context.base
    if base is None or base.suite not in _WITH_OLD_OPENSSL:
        return
    if rstudio.parsed_version > FOCAL_LAST:
        message = f"{base.name} has OpenSSL 1.1, for which {FOCAL_LAST} was the last RStudio Server"
        suggestion = f'Write "{FOCAL_LAST}", or choose a newer base'
        yield context.at(*_PLACE, "version").problem(message, suggestion)


def _keys(context: "BoxContext", rstudio: RstudioServer) -> Iterator[Problem]:
    for section in _FILES:
        file = rstudio_file(section)
        for name, value in getattr(rstudio.config, section).items():
            at = context.at(*_PLACE, "config", section, name)
            key = file.find(name)
            if isinstance(value, tuple) and not (key is not None and key.many):
                yield at.problem(
                    f"{code(name)} can be said once only", "Write one value, without a list"
                )
            if name in rstudio.accept_keys and not _is_ours(key):
                continue
            wrong = _wrong_key(section, name, key, rstudio)
            if wrong is not None:
                yield at.problem(*wrong)
    yield from _value_problems(context, rstudio)


def _is_ours(key: RstudioKey | None) -> bool:
    """Whether the box writes it itself: then no override makes a second one right."""
    return key is not None and key.standing is Standing.OURS


def _wrong_key(
    section: str, name: str, key: RstudioKey | None, rstudio: RstudioServer
) -> tuple[str, str] | None:
    file, version = rstudio_file(section), rstudio.parsed_version
    if key is None:
        return (
            f"RStudio Server {version.release} has no {code(name)} in {file.name}:"
            f" {_CONSEQUENCE[section]}",
            _elsewhere(section, name, file, rstudio),
        )
    match key.standing:
        case Standing.WORKBENCH:
            message = f"{code(name)} is a key of Posit Workbench, and this is the open source one"
            return f"{message}: {_CONSEQUENCE[section]}", f"Leave it out{_override(name)}"
        case Standing.INTERNAL:
            message = f"{code(name)} is what the server itself tells its sessions"
            return message, f"Leave it out{_override(name)}"
        case Standing.OURS:
            message = f"{code(name)} is made from `{key.now}` of the box: said twice, no server"
            return message, f"Leave it out, and say `{key.now}` of `rstudio_server`"
        case Standing.KNOWN if not is_of(key, version):
            return _other_version(key, rstudio, file)
        case _:
            return None


def _other_version(
    key: RstudioKey, rstudio: RstudioServer, file: RstudioFile
) -> tuple[str, str] | None:
    release = rstudio.parsed_version.release
    if key.last is not None and rstudio.parsed_version > key.last:
        message = f"RStudio Server {release} no longer knows {code(key.name)} in {file.name}"
        return message, f"It is called {code(key.now)} now" if key.now else "Leave it out"
    return (
        f"RStudio Server {release} does not know {code(key.name)} yet",
        f"It came with {key.first}",
    )


def _override(name: str) -> str:
    return f", or add {code(f'accept_keys: [{name}]')} if you know better"


def _elsewhere(section: str, name: str, file: RstudioFile, rstudio: RstudioServer) -> str:
    for other in _FILES:
        found = rstudio_file(other).find(name) if other != section else None
        if found is not None and found.standing is Standing.KNOWN:
            return f"It belongs under `config.{other}`"
    guess = near(name, file.offered(rstudio.parsed_version), most=2)
    return guess or f"Leave it out{_override(name)}"


def _value_problems(context: "BoxContext", rstudio: RstudioServer) -> Iterator[Problem]:
    """Values by which nobody could sign in, or everybody would be."""
    said = rstudio.config.rserver.get("auth-none")
    if said is not None and said not in (0, "0", False):
        at = context.at(*_PLACE, "config", "rserver", "auth-none")
        message = "without sign-in, everybody who reaches the port is a user of the machine"
        yield at.problem(message, "Leave it out: RStudio Server as root ends in a loop with it")


def _accepted(context: "BoxContext", rstudio: RstudioServer) -> Iterator[Problem]:
    there = {
        name for section in RstudioConfig.model_fields for name in getattr(rstudio.config, section)
    }
    for number, name in enumerate(rstudio.accept_keys):
        if name not in there:
            at = context.at(*_PLACE, "accept_keys", number)
            yield at.problem(f"`config` has no {code(name)}", near(name, there, most=1))


# R


def _r(context: "BoxContext", rstudio: RstudioServer) -> Iterator[Problem]:
    if context.box.r is None:
        if context.absent("r"):
            message = "RStudio Server needs R, and this box has none"
            yield context.at(*_PLACE).problem(message, "Add `r: {}` for the R of the base")
        return
    if context.base is None:
        return
    found = asked_rs(context.box.r, context.base)
    chosen = session_r(context.box.r, context.base, rstudio.r)
    if chosen is None:
        names = [one.version for one in found]
        message = f"no R {rstudio.r} is in this box: it has {alternatives(names)}"
        yield context.at(*_PLACE, "r").problem(message, "Leave `r` out for the default R")
        return
    yield from _engine(context, rstudio, chosen)


def _engine(context: "BoxContext", rstudio: RstudioServer, r: MachineR) -> Iterator[Problem]:
    minor = minor_of(r)
    first = first_for(minor) if minor is not None else None
    if minor is None or first is None or rstudio.parsed_version >= first:
        return
    key = "r" if rstudio.r is not None else "version"
    draws = newest_r_below(rstudio.parsed_version)
    message = (
        f"RStudio Server {rstudio.parsed_version.release} does not know the graphics of R"
        f" {r.version}: sessions would have no Plots pane"
    )
    older = f", or an R up to {draws}" if draws else ""
    suggestion = f'Write `version: "{suggested_for(minor)}"`{older}'
    yield context.at(*_PLACE, key).problem(message, suggestion)


# People


def _people(context: "BoxContext", rstudio: RstudioServer) -> Iterator[Problem]:
    names = [user.name for user in context.box.users]
    if rstudio.users is None and not names and rstudio.passwords and context.absent("users"):
        message = "nobody could sign in: this box has no users"
        suggestion = "Add `users: [{name: ada}]`, or `passwords: false` to rstudio_server"
        yield context.at(*_PLACE).problem(message, suggestion)
    for number, name in enumerate(rstudio.users or ()):
        if name not in names:
            at = context.at(*_PLACE, "users", number)
            there = f"There is {alternatives(names)}" if names else "Add `users:` to the box"
            yield at.problem(
                f"no user of this box is called {code(name)}", near(name, names) or there
            )
    if rstudio.users is not None and len(set(rstudio.users)) < len(rstudio.users):
        yield context.at(*_PLACE, "users").problem("a name is here twice", "Write each once")
