"""The environment variables of R, and the threads and proxies that they set."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.facts.compare import Value
from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.making import AskedFor, Change, Made, Making, few
from sandbox.facts.planned import planned_texts
from sandbox.facts.r_lines import Fields, a_path
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, Hashes, RSaid, Stated, Subject
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.r import RInstallations, r_view
from sandbox.facts.subjects.units import Units
from sandbox.plan import Plan
from sandbox.probe import untaken
from sandbox.probe.untaken import is_untaken, without_hash
from sandbox.spec.fits import fits
from sandbox.spec.texts import EnvName, Text

# Of one login or one process, or told by another kind of fact
SESSION_VARIABLES = re.compile(
    r"HOME|USER|LOGNAME|USERNAME|MAIL|PWD|OLDPWD|SHLVL|_|TERM|SHELL|HOSTNAME|MOTD_SHOWN|LS_COLORS"
    r"|SSH_.*|XDG_.*|DBUS_.*|SUDO_.*|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_.*|MANAGERPID|NOTIFY_SOCKET"
    r"|R_SESSION_TMPDIR|TMPDIR|R_HOME|R_LIBS_USER|LANG|LANGUAGE|LC_.*|TZ|BASH_.*|which_declare"
    r"|RS_.*|RSTUDIO_.*|SHINY_.*|WORKER_ID|LOG_FILE|MEMORY_PRESSURE_.*|https?_proxy|no_proxy"
    r"|HTTPS?_PROXY|NO_PROXY|ftp_proxy|[A-Z]*_THREADS|R_(BROWSER|PDFVIEWER|PRINTCMD|UNZIPCMD|ZIPCMD)"
    r"|R_(TEXI2DVICMD|GZIPCMD|BZIPCMD|PAPERSIZE.*|RD4PDF|ARCH|PLATFORM|DOC_DIR|INCLUDE_DIR)"
    r"|R_(SHARE_DIR|STRIP_.*|SYSTEM_ABI)|EDITOR|PAGER|SED|TAR|MAKE|LN_S"
)
_PROXIES = re.compile(r"(https?|no|ftp)_proxy", re.IGNORECASE)
_THREADS = re.compile(r"[A-Z]*_THREADS|OMP_.*|OPENBLAS_.*|MKL_.*|GOTO_.*")


def _environment_files(said: RSaid) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for path, name in said.rows("environment_file"):
        found.setdefault(path, []).append(name)
    return {path: tuple(dict.fromkeys(names)) for path, names in found.items()}


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {
        "environment": said.table("environment"),
        "environment_files": _environment_files(said),
    }


def environment(view: RView, _: Facts) -> Reading:
    """List the variables that code may read; those of a session or of a login left out."""
    return {
        name: _plain_path(value) if name == "PATH" else _without_home(value, view)
        for name, value in view.environment.items()
        if not SESSION_VARIABLES.fullmatch(name) and not _PROXIES.fullmatch(name)
    }


def all_variables(view: RView, _: Facts) -> Reading:
    """List every variable, just as R has it."""
    return dict(view.environment)


def _plain_path(value: str) -> str:
    """Without what root's path has and a person's has not, or the other way round."""
    return ":".join(
        folder for folder in value.split(":") if not folder.endswith(("/sbin", "/games"))
    )


def _without_home(value: str, view: RView) -> str:
    home_folder = view.environment.get("HOME")
    return value.replace(home_folder, "~") if home_folder and len(home_folder) > 1 else value


def proxies(view: RView, _: Facts) -> Reading:
    """List the proxy settings."""
    return {
        name.lower(): value
        for name, value in view.environment.items()
        if _PROXIES.fullmatch(name) and value
    }


def threads(view: RView, _: Facts) -> Reading:
    """List the variables that limit the threads of BLAS and OpenMP."""
    return {name: value for name, value in view.environment.items() if _THREADS.fullmatch(name)}


def kind_of_variable(name: str) -> str:
    """Name the kind of fact that tells whether a variable of a box is as the box says."""
    return "r.threads" if name.endswith("_THREADS") else "r.environment"


def _stated(plan: Plan, hashes: Hashes) -> Stated:
    if plan.r is None:
        return {}
    stated = planned_texts(plan.system.environment, hashes)
    found: dict[str, dict[str, Value]] = {"r.threads": {}, "r.environment": {}}
    for name, value in stated.items():
        found[kind_of_variable(name)][name] = value
    return found


# What a box says of them: the variables that R has, by R's own word; files only say where they
# come from

_NOT_TO_EXPORT: Final = re.compile(
    r"LN_S|MAKE|SED|TAR|PATH|LD_LIBRARY_PATH|MANPATH|INFOPATH|LANG|LANGUAGE|LC_.*|TZ|HOME|USER|LOGNAME|SHELL|TERM|PWD"
    r"|R_.*|_R_.*|LESS.*|HIST.*|PS1|LS_COLORS|MAIL|EDITOR|PAGER|VISUAL|BASH_.*|PROFILEHOME|CVS_RSH"
    r"|G_BROKEN_FILENAMES|DEBUGINFOD_.*|which_declare|XDG_.*|SELINUX_.*|MODULE.*|LMOD_.*|_.*"
)
_OF_A_SESSION = re.compile(
    r"SSH_|SUDO_|DBUS_|INVOCATION_|JOURNAL_|SYSTEMD_|MOTD_|SHLVL|OLDPWD|HOSTNAME|SHINY_|RSTUDIO_|RS_"
    r"|WORKER_ID|LOG_FILE|MEMORY_PRESSURE_|MANAGERPID|NOTIFY_SOCKET|LISTEN_|TMPDIR|USERNAME"
)
_SAID_ELSEWHERE = re.compile(r"LANG|LANGUAGE|LC_.*|TZ")
_SETENV = re.compile(r"\bSys\.setenv\(")
_SITE_FILES = ("/etc/environment", "Renviron.site")
_BY_UNIT = "Environment."


@dataclass(frozen=True)
class Variable:
    """One of a server's variables."""

    name: str
    value: str
    where: str
    """Which files set it; empty when none that was read does."""


@dataclass(frozen=True)
class Variables:
    """What every R is given."""

    said: tuple[Variable, ...]
    secret: tuple[str, ...]
    """Names of those that were not taken."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Setting:
    place: str
    value: str | None
    """None where a file was read for its names alone."""


def choose_variables(facts: Facts, view: RView | None) -> Variables:
    """Choose the variables of R in a login, and those that only apps have."""
    settings = _settings(facts)
    app = r_view(facts, "shiny")
    app = None if app is view else app
    measured = _measured(settings, view, app)
    said, secret = [], []
    notes: list[str] = []
    for name, value in sorted(measured.items()):
        where = _where(settings.get(name, []), value)
        if not _is_of_the_machine(name):
            notes += _of_r_itself(name, value, settings.get(name, []))
        elif is_untaken(value):
            if fits(EnvName, name):
                secret.append(name)
            else:
                notes.append(f"the variable {name} was not taken")
        elif fits(EnvName, name) and fits(Text, value):
            said.append(Variable(name, value, where))
        else:
            notes.append(f"the variable {name} is no single line of text")
    notes += _unseen(settings, measured) if view is not None else []
    notes += _differing(view, app) if view is not None and app is not None else []
    return Variables(tuple(said), tuple(secret), tuple(map(without_hash, notes)))


def _measured(
    settings: dict[str, list[_Setting]], view: RView | None, app: RView | None
) -> dict[str, str]:
    if view is not None:
        return {**(app.environment if app is not None else {}), **view.environment}
    # No R said anything: then what the files say is all there is
    found = {
        name: next((s.value for s in reversed(places) if s.value is not None), "")
        for name, places in settings.items()
        if any(not one.place.endswith(".service") for one in places)
    }
    return {n: v for n, v in found.items() if v and ("$" not in v or is_untaken(v))}


def _is_of_the_machine(name: str) -> bool:
    return not _NOT_TO_EXPORT.fullmatch(name) and not _OF_A_SESSION.match(name)


def _settings(facts: Facts) -> dict[str, list[_Setting]]:
    """Each variable with the places that set it, in the order in which they are read."""
    found: dict[str, list[_Setting]] = {}
    for name, setting in _all_settings(facts):
        found.setdefault(name, []).append(setting)
    return found


def _all_settings(facts: Facts) -> Iterator[tuple[str, _Setting]]:
    for suffix in _SITE_FILES:
        for config in facts.get(Configs) or ():
            if config.path.endswith(suffix):
                for key, value in config.settings.items():
                    yield _without_number(key), _Setting(config.path, value)
    for view in (view for r in facts[RInstallations] for view in r.views):
        for path, names in view.environment_files.items():
            yield from ((name, _Setting(path, None)) for name in names)
    for config in facts.get(Configs) or ():
        if config.path.endswith("Rprofile.site"):
            found = _set_by_code(config.settings.values())
            yield from ((name, _Setting(config.path, None)) for name in found)
    for unit in facts.get(Units) or ():
        for key, value in unit.settings.items():
            if key.startswith(_BY_UNIT):
                yield _without_number(key.removeprefix(_BY_UNIT)), _Setting(unit.name, value)


def _without_number(key: str) -> str:
    """The probe numbers what comes again: `A #2`."""
    return re.sub(r" #\d+$", "", key)


def _set_by_code(codes: Iterable[str]) -> Iterator[str]:
    for code in filter(_SETENV.search, codes):
        yield from re.findall(r"[(,]\s*[\"`]?([A-Za-z_][A-Za-z0-9_]*)[\"`]? = ", code)


def _where(places: list[_Setting], value: str) -> str:
    """The files that set it; those that say something else are marked as such."""
    last: dict[str, str | None] = {one.place: one.value for one in places}
    words = []
    for place, written in last.items():
        open_ = written is None or "$" in written or is_untaken(written) or is_untaken(value)
        words.append(place if open_ or written == value else f"{place} says otherwise")
    return ", ".join(words)


def _of_r_itself(name: str, value: str, places: list[_Setting]) -> Iterator[str]:
    """What a box has no key for is said when somebody has set it on purpose."""
    if places and not _SAID_ELSEWHERE.fullmatch(name) and not _OF_A_SESSION.match(name):
        yield f"{name}={value} ({_where(places, value)})"


def _unseen(settings: dict[str, list[_Setting]], measured: dict[str, str]) -> Iterator[str]:
    for name, places in sorted(settings.items()):
        if name not in measured and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            where = ", ".join(dict.fromkeys(one.place for one in places))
            yield f"{name} is set in {where}, and no R sees it"


def _differing(view: RView, app: RView) -> Iterator[str]:
    """The box says the login's."""
    names = {name for name in {*view.environment, *app.environment} if _is_of_the_machine(name)}
    for name in sorted(names):
        login, inside = view.environment.get(name), app.environment.get(name)
        if login is None:
            yield f"{name} is set in apps alone"
        elif inside is None:
            yield f"{name} is set in logins, and no app sees it"
        elif untaken.compare(login, inside) == "differs":
            yield f"{name} is {inside} in apps: the box says what a login has"


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    variables = choose_variables(facts, making.view)
    yield from few(variables.notes)
    for one in variables.said:
        yield Change(("system", "environment", one.name), one.value, comment=one.where)
    for name in variables.secret:
        yield Change(("system", "environment", name), AskedFor())


ENVIRONMENT = Subject(
    name="environment",
    rank=5,
    r_lines={"environment": Fields(2, 2), "environment_file": Fields(2, 2, a_path)},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.environment",
            Consequence.FAILS,
            110,
            title="an environment variable in R",
            how="exact",
            why="what a service sets does not reach Shiny apps, and code that reads it "
            "goes on without",
            bug="rstudio/shiny-server/issues/480",
            read=environment,
            read_for_box=all_variables,
        ),
        kind_of_r(
            "r.proxy",
            Consequence.FAILS,
            120,
            title="a proxy setting in R",
            how="exact",
            why="downloads hang or fail from inside an app while they work in a terminal",
            bug="openkaiden/kaiden/issues/1897",
            read=proxies,
        ),
        kind_of_r(
            "r.threads",
            Consequence.SPEED,
            40,
            title="the threads of BLAS and OpenMP",
            how="exact",
            why="too many fight for the processors, and forked workers wait for each "
            "other for ever",
            bug="OpenMathLib/OpenBLAS/issues/240",
            read=threads,
        ),
    ),
    stated=_stated,
    makes=_makes,
)
