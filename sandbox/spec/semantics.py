"""Checks beyond the models: whether the parts of a box fit each other, the base and the disk."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.app_files import IGNORE_FILE, TooMuchError, UnreadableError, app_files
from sandbox.paths import homes, state_dir
from sandbox.plain_file import NO_SUCH_FILE, is_of_the_kernel, not_a_file
from sandbox.spec import words
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases
from sandbox.spec.certificate import why_no_certificate
from sandbox.spec.choices import SSH_PORT
from sandbox.spec.listening import listening
from sandbox.spec.models import App, Box
from sandbox.spec.plumber import PlumberApi
from sandbox.spec.plumber_semantics import plumber_problems
from sandbox.spec.problem import Problem, alternatives, code, near, printable, short
from sandbox.spec.r_fits import packages_place, r_places, r_problems
from sandbox.spec.r_package_fits import r_package_problems
from sandbox.spec.r_packages import RPackageIndex, bases_with, known_index
from sandbox.spec.root import Root, real
from sandbox.spec.rstudio_semantics import rstudio_problems
from sandbox.spec.shiny_semantics import shiny_problems
from sandbox.spec.source import Value
from sandbox.spec.translate import private_key_problem
from sandbox.spec.vboxmanage import why_not

_APP_FILES = frozenset({"app.r", "server.r", "ui.r"})


@dataclass(frozen=True)
class BoxContext:
    """A box to check. Values that the models refused are in `said`, but no longer in `box`."""

    box: Box
    top: Value
    """The values of `box`."""
    said: Value
    """All values of the file."""
    bases: Bases
    complete: bool
    """False when a file that it extends is missing: then nothing can be called absent."""
    root: Root
    """The folder that the box may read."""

    @property
    def base(self) -> Base | None:
        """The base, when the box names one that exists."""
        return self.bases.get(self.box.base or "")

    def at(self, *loc: str | int) -> Value:
        """Return the value at `loc`, or the nearest one."""
        return self.top.nearest(loc)

    def absent(self, key: str) -> bool:
        """Tell whether the file (with all it extends) says nothing about `key`."""
        value = self.said.get(key)
        return self.complete and (value is None or value.content is None)


def problems_of(context: BoxContext) -> list[Problem]:
    """List everything in a box that does not fit, in no particular order."""
    return [problem for look in _LOOKS for problem in look(context)]


def _base(context: BoxContext) -> Iterator[Problem]:
    name = context.box.base
    known = list(context.bases)
    if name is None:
        if context.absent("base"):
            message = f"`base` is missing: {alternatives(known)}"
            yield context.at("base").problem(message, key="base")
    elif context.base is None:
        suggestion = near(name, known, most=1) or f"There is {alternatives(known)}"
        yield context.at("base").problem(f"there is no base {code(name)}", suggestion)


def _r_packages(context: BoxContext) -> Iterator[Problem]:
    """Packages that the base's Debian does not have; silent where that cannot be known."""
    base, r = context.base, context.box.r
    index = known_index(context.box, base.name) if base is not None and r is not None else None
    if base is None or r is None or index is None:
        return
    for place, one in r_places(r):
        packages = one.packages
        if packages is None or one.source != "debian" or packages.if_missing == "skip":
            continue
        if packages.source != "debian":
            continue
        where = (*packages_place(r, place), "names")
        for number, name in enumerate(packages.names):
            if not index.has(name):
                yield _no_package(context, context.at(*where, number), name, index, base)


def _no_package(
    context: BoxContext, value: Value, name: str, index: RPackageIndex, base: Base
) -> Problem:
    if (other := index.other_case(name)) is not None:
        message = f"R tells capitals from small letters, and the package is called {code(other)}"
        return value.problem(message, f"Write {other}")
    suggestion = index.nearest(name) or _elsewhere(name, index, base, context.bases)
    return value.problem(f"{base.name} does not have the R package {code(name)}", suggestion)


def _elsewhere(name: str, index: RPackageIndex, base: Base, bases: Bases) -> str:
    """Where a package is available that the base does not have under that name."""
    if home := index.homes.get(name):
        return f"Put {code(home)} under `system.packages`: it is not one of the r-cran packages"
    others = [other for other in bases_with(name, bases) if other != base.name]
    if others:
        return f"{alternatives(others)} has it"
    return "Leave it out, or add `if_missing: skip`, or take it from CRAN with `source: repository`"


def _services(context: BoxContext) -> Iterator[Problem]:
    shiny = context.box.services.shiny_server
    if shiny is None:
        if (
            context.box.apps
            and context.complete
            and not context.said.get("services", "shiny_server")
        ):
            suggestion = "Add `services: {shiny_server: {}}`"
            yield context.at("apps").problem("no service of this box serves apps", suggestion)
        return
    value = context.at("services", "shiny_server")
    if context.box.r is None and context.absent("r"):
        suggestion = "Add `r: {}` for the R of the base"
        yield value.problem("Shiny Server needs R, and this box has none", suggestion)
    if context.base is not None and "shiny_server" not in context.base.offers:
        fitting = [base.name for base in context.bases.values() if "shiny_server" in base.offers]
        message = f"{context.base.name} has no package of Shiny Server"
        yield value.problem(message, f"Use base {alternatives(fitting)}")


def _ports(context: BoxContext) -> Iterator[Problem]:
    """Whether each server has a port for itself."""
    taken = {SSH_PORT: "ssh"}
    usual: dict[str, int] = {}
    for one in listening(context.box.services):
        if one.usual is not None:
            usual[one.service] = one.usual
        if (other := taken.get(one.port)) is not None and not one.shares:
            names = dict.fromkeys((other, one.service))
            both = [f"{usual[name]} of {code(name)}" for name in names if name in usual]
            ones = f"ones are {' and '.join(both)}" if len(both) > 1 else f"one is {one.usual}"
            message = f"port {one.port} is taken: {other} listens there"
            suggestion = f"The usual {ones}" if one.usual is not None else "Choose another"
            yield context.at("services", *one.loc).problem(message, suggestion)
        taken.setdefault(one.port, one.service)


def _apps(context: BoxContext) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, app in enumerate(context.box.apps):
        name = context.at("apps", index, "name")
        if app.name in first:
            where = context.at("apps", first[app.name], "name").line
            yield name.problem(f"another app is called {code(app.name)} (line {where})")
        first.setdefault(app.name, index)
        value = context.at("apps", index, "path")
        if (refusal := context.root.refusal(value)) is not None:
            yield refusal
        else:
            yield from _app_folder(context, value)
            yield from _app_files(app, value)


def _apis(context: BoxContext) -> Iterator[Problem]:
    """Whether the folders of the APIs can go into a machine."""
    plumber = context.box.services.plumber
    for loc, api in plumber.placed if plumber is not None else ():
        value = context.at(*loc, "path")
        if (refusal := context.root.refusal(value)) is not None:
            yield refusal
        else:
            yield from _app_files(api, value)


def _app_files(app: App | PlumberApi, value: Value) -> Iterator[Problem]:
    """Whether the app's files can go into a machine: not too much, and no home folder."""
    try:
        folder = real(value.as_path())
        if not folder.is_dir():
            return
        if (whose := _holds_too_much(folder)) is not None:
            message = f"{code(value.raw)} holds {whose}: that is more than an app"
            yield value.problem(message, "Name the folder that has only the app's files")
            return
        app_files(folder, include=app.include, max_mb=app.max_mb)
    except TooMuchError as error:
        suggestion = f"Say `max_mb:` of the app if it is meant, or what stays out, in {IGNORE_FILE}"
        yield value.problem(
            f"the app at {code(value.raw)} is too large: {_words(error)}", suggestion
        )
    except (OSError, ValueError, UnreadableError) as error:
        yield value.problem(f"the app at {code(value.raw)} cannot be read: {_words(error)}")


def _words(error: Exception) -> str:
    """An error's words, safe to print: names of files in them may be anything."""
    return printable(str(error), limit=200)


def _holds_too_much(folder: Path) -> str | None:
    """What a folder holds that no app has in it; None when it may be an app."""
    if folder == Path("/"):
        return "this whole computer"
    if any(home.is_relative_to(folder) for home in homes()):
        return "a home folder"
    if is_of_the_kernel(folder):
        return "what the kernel makes up"
    return "the state of all sandboxes" if real(state_dir()).is_relative_to(folder) else None


def _app_folder(context: BoxContext, value: Value) -> Iterator[Problem]:
    folder = value.as_path()
    wrong = not_a_file(folder)
    if wrong is None:
        yield value.problem("an app is a folder, and this is a file", "Name the folder it is in")
        return
    try:
        names = [file.name.lower() for file in folder.iterdir()]
    except (OSError, ValueError):
        what = "there is no such folder" if wrong == NO_SUCH_FILE else "it cannot be read"
        yield value.problem(f"no app at {code(value.raw)}: {what} ({short(folder)})")
        return
    documents = any(name.endswith(".rmd") for name in names)
    if not documents and not _APP_FILES & set(names):
        message = f"no app in {code(value.raw)}: it has no app.R, server.R, ui.R or .Rmd file"
        yield value.problem(message)
    packages = context.box.r.default_packages.names if context.box.r else ("rmarkdown",)
    if documents and not _APP_FILES & set(names) and "rmarkdown" not in packages:
        message = f"the documents in {code(value.raw)} need the R package rmarkdown"
        yield value.problem(message, "Add it to `r.packages.names`")


def _files(context: BoxContext) -> Iterator[Problem]:
    for index, _ in enumerate(context.box.checks.files):
        value = context.at("checks", "files", index)
        if (refusal := context.root.refusal(value)) is not None:
            yield refusal
            continue
        wrong = not_a_file(value.as_path())
        if wrong is not None:
            yield value.problem(f"no checks at {code(value.raw)}: {wrong}")
        elif not value.raw.endswith(".py"):
            yield value.problem(f"checks are Python files, and {code(value.raw)} is not")
    mirrors = context.box.mirrors.ca_certificates if context.box.mirrors else ()
    for part, names in (("system", context.box.system.ca_certificates), ("mirrors", mirrors)):
        for index, _ in enumerate(names):
            value = context.at(part, "ca_certificates", index)
            if (refusal := context.root.refusal(value)) is not None:
                yield refusal
            elif (wrong := why_no_certificate(value.as_path())) is not None:
                yield value.problem(f"no certificate at {code(value.raw)}: {wrong}")


def _mirrors(context: BoxContext) -> Iterator[Problem]:
    for name in context.box.mirrors.with_logins if context.box.mirrors else ():
        message = "a login must not stand in a box"
        cure = "Write this mirror into ~/.config/sandbox/config.yml, which only you can read"
        yield context.at("mirrors", name).problem(message, cure)


def _production(context: BoxContext) -> Iterator[Problem]:
    if context.box.production is not None:
        value = context.at("production")
        if (refusal := context.root.refusal(value)) is not None:
            yield refusal
        elif (wrong := not_a_file(value.as_path())) is not None:
            suggestion = "`sandbox capture [USER@]HOST` writes such a file"
            yield value.problem(f"no facts at {code(value.raw)}: {wrong}", suggestion)
    elif context.box.accept and context.absent("production"):
        message = "differences are accepted, and no production is named"
        yield context.at("accept").problem(message, "Add `production: NAME.facts.json`")


def _mirror(context: BoxContext) -> Iterator[Problem]:
    """Whether the mirror is one of the base's distribution."""
    mirror, base = context.box.system.mirror, context.base
    if mirror is not None and base is not None and mirror.of(base.distribution) is None:
        message = f"{base.name} needs a mirror of its own distribution"
        suggestion = f"Say `{base.distribution}:`, the base URL of such a mirror"
        yield context.at("system", "mirror").problem(message, suggestion)


def _system(context: BoxContext) -> Iterator[Problem]:
    zone = context.box.system.timezone
    value = context.at("system", "timezone")
    if (suggestion := words.unknown_timezone(zone)) is not None:
        yield value.problem(f"there is no time zone {code(zone)}", suggestion)
    locale = context.box.system.locale
    if (suggestion := words.wrong_locale(locale)) is not None:
        value = context.at("system", "locale")
        yield value.problem(f"{code(locale)} is not a locale", suggestion)


def _options(context: BoxContext) -> Iterator[Problem]:
    options = context.box.r.options if context.box.r else {}
    for name, value in options.items():
        if not isinstance(value, tuple):
            continue
        at = context.at("r", "options", name)
        kinds = {float if type(one) is int else type(one) for one in value}
        written = context.said.get("r", "options", name)
        if written is not None and not written.content:
            yield at.problem("a vector of nothing has no type", "Write {r: character(0)}")
        elif len(kinds) > 1:
            message = "a vector is all text, all numbers, or all `true` and `false`"
            yield at.problem(message, "A list of R that mixes them is {r: 'list(1, \"a\")'}")


def _users(context: BoxContext) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, user in enumerate(context.box.users):
        name = context.at("users", index, "name")
        if user.name in first:
            where = context.at("users", first[user.name], "name").line
            yield name.problem(f"another user is called {code(user.name)} (line {where})")
        elif words.is_system_account(user.name):
            yield name.problem(f"{code(user.name)} is an account of the system's own")
        first.setdefault(user.name, index)
        for number, key in enumerate(user.ssh_keys):
            value = context.at("users", index, "ssh_keys", number)
            if "PRIVATE KEY" in key:
                yield private_key_problem(value)
            elif (wrong := words.not_a_public_key(key)) is not None:
                yield value.problem(f"this is not an ssh public key: {wrong}")


def _providers(context: BoxContext) -> Iterator[Problem]:
    providers = context.box.providers
    for index, line in enumerate(providers.virtualbox.customize):
        if (wrong := why_not(line)) is not None:
            value = context.at("providers", "virtualbox", "customize", index)
            yield value.problem(wrong[0], wrong[1])
    for name in type(providers).model_fields:
        options = providers.options(name)
        if options is None:
            continue
        if options.base_image is not None and options.base_image_version is None:
            value = context.at("providers", name, "base_image")
            message = f"the version of {code(options.base_image)} is not said"
            yield value.problem(message, "Add `base_image_version`: else it changes under you")


_LOOKS: Final[tuple[Callable[[BoxContext], Iterator[Problem]], ...]] = (
    _base,
    r_problems,
    _r_packages,
    r_package_problems,
    _services,
    rstudio_problems,
    _ports,
    shiny_problems,
    plumber_problems,
    _apps,
    _apis,
    _files,
    _mirrors,
    _production,
    _mirror,
    _system,
    _options,
    _users,
    _providers,
)
