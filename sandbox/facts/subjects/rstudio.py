"""RStudio Server: its version, the R that it runs, its settings as keys of a box.

From inside a session that somebody has open, R is asked too (rstudio.sh).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sandbox.facts.kind import Consequence, Reading, kind_of_machine
from sandbox.facts.making import Change, Made, Making, Unsaid
from sandbox.facts.part import FactsPart
from sandbox.facts.shapes import Shape, check_pairs
from sandbox.facts.subject import Facts, ProbeAnswer, Subject
from sandbox.facts.subjects.accounts import Account, Accounts
from sandbox.facts.subjects.configs import RSTUDIO_FILES, Configs
from sandbox.facts.subjects.fronts import front_of
from sandbox.facts.subjects.packages import SystemPackages
from sandbox.facts.subjects.r import RInstallation, RInstallations, main_r, posit_version
from sandbox.facts.subjects.r_versions import makeable_rs
from sandbox.facts.unsaid import pairs
from sandbox.probe.frame import Section
from sandbox.probe.readers import name, path, whole
from sandbox.probe.untaken import is_placeholder
from sandbox.spec.fits import fits
from sandbox.spec.r import MOVING
from sandbox.spec.rstudio_keys import Standing, is_of, rstudio_file
from sandbox.spec.rstudio_version import FOCAL_LAST, RstudioVersion, first_for, parse_rstudio
from sandbox.spec.texts import FrontPath, SettingName, UserName

_SHAPE: Final = "[0-9]{1,4}[.][0-9]{1,2}[.][0-9]{1,4}([+-][0-9]{1,5})?([.+][a-z]{1,7}[0-9]{1,2})?"
"""Of a version: with the build, and with what an edition or a rebuild adds, `.pro1`."""
_VERSION: Final = re.compile(_SHAPE)
_FOLDER: Final = "/etc/rstudio/"
_WORKBENCH: Final = re.compile(r"[.+]pro[0-9]")
_PORT, _LEAST_PORT, _MOST_PORT = 8787, 1, 65535


class SeenRstudioServer(FactsPart):
    """RStudio Server, as it is installed."""

    version: str | None
    """As its package says it: 2024.12.0+467."""
    r_program: str | None
    """The R of its sessions: `rsession-which-r`, or the first on the PATH of services."""
    sessions: int
    """How many run."""


def _check(section: Section) -> None:
    check_pairs(
        section,
        {
            "rstudio_version": lambda text: name(text, "RStudio's version", pattern=_VERSION),
            "rstudio_r": lambda text: path(text, "the R of RStudio's sessions"),
            "rstudio_open": lambda text: whole(text, "the number of sessions"),
        },
    )


def _parse(answer: ProbeAnswer) -> SeenRstudioServer | None:
    values = answer.values("rstudio-server")
    if not values:
        return None
    return SeenRstudioServer(
        version=values.get("rstudio_version"),
        r_program=values.get("rstudio_r"),
        sessions=int(values.get("rstudio_open", "0")),
    )


def _version(facts: Facts) -> Reading:
    found = facts.get(SeenRstudioServer)
    return {"": found.version} if found is not None and found.version else {}


def _r_program(facts: Facts) -> Reading:
    found = facts.get(SeenRstudioServer)
    return {"": found.r_program} if found is not None and found.r_program else {}


# Captured


def _makes(facts: Facts, making: Making) -> Iterator[Made]:
    made = list(_server(facts, making))
    yield from made
    if not any(isinstance(one, Change) for one in made):
        # No key of the box says what is in them
        for config in facts.get(Configs) or ():
            if config.path in RSTUDIO_FILES and config.settings:
                yield Unsaid(f"{config.path} sets {pairs(config.settings)}")


def _server(facts: Facts, making: Making) -> Iterator[Made]:
    found = facts.get(SeenRstudioServer)
    for one in facts.get(SystemPackages) or ():
        # Facts of an older sandbox know of its package only
        is_told_below = found is not None and one.name == "rstudio-server"
        if one.name.startswith("rstudio-") and not is_told_below:
            yield Unsaid(f"{one.name} {one.version}")
    if found is None:
        return
    said = found.version or ""
    version = _known_version(said)
    if version is None:
        what = "Posit Workbench" if _WORKBENCH.search(said) else "RStudio Server"
        yield Unsaid(f"{what} {said or 'of a version that was not seen'}, which no box can ask for")
        return
    if (refused := _unfit(facts, making, version)) is not None:
        yield Unsaid(f"RStudio Server {version}: {refused}")
        return
    yield Change((*_BOX, "version"), str(version))
    yield from _settings(facts, version)
    yield from _session_r(facts, found.r_program)
    # The people there are not the sandbox's
    yield Change((*_BOX, "passwords"), "false")
    yield _people(facts)


_BOX: Final = ("services", "rstudio_server")


def _known_version(text: str) -> RstudioVersion | None:
    """Its version in the form of a box.

    Packages of rpm write `-` for the build's `+`; one that was built again has a word at its end.
    """
    plain = re.sub(r"^(\d+\.\d+\.\d+)-(\d+)$", r"\1+\2", text)
    if not _WORKBENCH.search(plain):
        plain = re.sub(r"^(\d+\.\d+\.\d+\+\d+)[.+][a-z]+\d*$", r"\1", plain)
    try:
        return parse_rstudio(plain)
    except ValueError:
        return None


def _installation(facts: Facts, program: str | None) -> RInstallation | None:
    """The R that is started by a program: by its name, or by where Posit's builds have it."""
    folder = (program or "").removesuffix("/bin/R")
    for one in facts[RInstallations]:
        if {program, folder}.intersection(one.found_as) or one.home == f"{folder}/lib/R":
            return one
    return None


_LEAST_UID, _MOST_UID = 1000, 60000
_NO_LOGIN: Final = ("nologin", "false", "sync")
_LOCKED: Final = ("locked",)
_MOST_NAMED: Final = 5


def _people(facts: Facts) -> Unsaid:
    """Who signs in there, and the lines by which somebody may sign in to the sandbox."""
    names = [one.name for one in _who_may_sign_in(facts)]
    what = "who signs in to RStudio Server"
    if not names:
        return Unsaid(f"{what}: no people's accounts were seen there that may")
    more = len(names) - _MOST_NAMED
    named = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return Unsaid(
        f"{what}: {named} may there, and people are not taken over; for an account with a new"
        f" password of its own write `users: [{{name: {names[0]}}}]`, and leave out"
        " `passwords: false`"
    )


def _who_may_sign_in(facts: Facts) -> Iterator[Account]:
    """Accounts that RStudio Server's own rules let in; their passwords and PAM's rules apart."""
    configs = facts.get(Configs) or ()
    rserver = next((one.settings for one in configs if one.path == f"{_FOLDER}rserver.conf"), {})
    said = rserver.get("auth-minimum-user-id", "")
    least = int(said) if said.isdecimal() else _LEAST_UID
    groups = {one.strip() for one in rserver.get("auth-required-user-group", "").split(",")} - {""}
    for one in facts.get(Accounts) or ():
        logs_in = one.home and one.shell.rpartition("/")[2] not in _NO_LOGIN
        is_let_in = not groups or groups.intersection(one.groups)
        is_locked = one.password in _LOCKED
        may = least <= one.uid < _MOST_UID and logs_in and is_let_in and not is_locked
        # A directory service has names that no box can ask for
        if may and fits(UserName, one.name):
            yield one


def _session_r(facts: Facts, program: str | None) -> Iterator[Made]:
    """Which of the box's Rs its sessions run; the default without a word."""
    if program is None:
        return
    one, main = _installation(facts, program), main_r(facts)
    if one is None or one not in makeable_rs(facts):
        if program != "/usr/bin/R":
            yield Unsaid(f"RStudio's sessions run {program}: the sandbox's run its default R")
    elif one is not main and one.version is not None:
        yield Change((*_BOX, "r"), f'"{posit_version(one.home) or one.version}"')


def _unfit(facts: Facts, making: Making, version: RstudioVersion) -> str | None:
    """Why the sandbox's R could not be drawn with by that version."""
    if making.base.suite == "bullseye" and version > FOCAL_LAST:
        return f"the last one for {making.base.name} is {FOCAL_LAST}"
    seen = facts.get(SeenRstudioServer)
    one = _installation(facts, seen.r_program if seen is not None else None) or main_r(facts)
    posits = posit_version(one.home) if one is not None else None
    if posits in MOVING:
        return None
    number = posits or making.base.r_version
    major, minor = number.split(".")[:2]
    first = first_for((int(major), int(minor)))
    if first is not None and version < first:
        whose = "" if posits else f"{making.base.name}'s "
        return f"it does not know the graphics of {whose}R {number}"
    return None


def _settings(facts: Facts, version: RstudioVersion) -> Iterator[Made]:
    files = {
        one.path.removeprefix(_FOLDER): one.settings
        for one in facts.get(Configs) or ()
        if one.path.startswith(_FOLDER)
    }
    rserver = files.get("rserver.conf", {})
    port = rserver.get("www-port", "")
    if port.isdecimal() and int(port) in range(_LEAST_PORT, _MOST_PORT + 1):
        yield Change((*_BOX, "port"), int(port))
    own_port = int(port) if port.isdecimal() else _PORT
    front = front_of(facts, own_port)
    if front is not None and front.path != "/" and fits(FrontPath, front.path):
        yield Change(("services", "nginx", "port"), front.port)
        yield Change((*_BOX, "path"), front.path)
        # The box's `path` writes it
        rserver = {key: value for key, value in rserver.items() if key != "www-root-path"}
    elif address := rserver.get("www-address"):
        yield Unsaid(f"RStudio Server listens on {address} only: the sandbox's on its own address")
    yield from _known_settings("rserver", rserver, version)
    for section in ("rsession", "logging"):
        yield from _known_settings(section, files.get(f"{section}.conf", {}), version)
    for key, value in files.get("repos.conf", {}).items():
        if _is_plain(value):
            yield Change((*_BOX, "config", "repos", key.removeprefix("*.")), value)
        else:
            yield Unsaid(f"{_FOLDER}repos.conf names {key}; its address was not taken")
    for key, value in files.get("rstudio-prefs.json", {}).items():
        if _is_plain(value) and fits(SettingName, key):
            yield Change((*_BOX, "config", "prefs", key), value)
        else:
            yield Unsaid(f"{_FOLDER}rstudio-prefs.json says {key}; its value was not taken")


def _known_settings(
    section: str, settings: Mapping[str, str], version: RstudioVersion
) -> Iterator[Made]:
    file = rstudio_file(section)
    for full, value in settings.items():
        key = full.removeprefix("*.")
        known = file.find(key)
        if known is not None and known.standing is Standing.OURS:
            continue
        if known is None or known.standing is not Standing.KNOWN or not is_of(known, version):
            yield Unsaid(f"{_FOLDER}{file.name} says {key}, which {version} does not know")
        elif not _is_plain(value):
            yield Unsaid(f"{_FOLDER}{file.name} says {key}; its value was not taken")
        else:
            yield Change((*_BOX, "config", section, key), value)


def _is_plain(value: str) -> bool:
    return bool(value.strip()) and value == value.strip() and not is_placeholder(value)


RSTUDIO = Subject(
    name="rstudio",
    rank=135,
    takes=f"=rstudio_version: {_SHAPE}\npath: rstudio_r\n=rstudio_open: " + "[0-9]{1,4}\n",
    part=SeenRstudioServer,
    sections={"rstudio-server": Shape(_check)},
    parse=_parse,
    kinds=(
        kind_of_machine(
            "rstudio.version",
            Consequence.BEHAVIOUR,
            12,
            title="the version of RStudio Server",
            how="exact",
            why="a version starts with settings that others refuse, and draws with some R only",
            bug="rstudio/rstudio/issues/9898",
            read=_version,
        ),
        kind_of_machine(
            "rstudio.r",
            Consequence.ANSWERS,
            15,
            title="the R of RStudio's sessions",
            how="exact",
            why="it takes the first R that it finds: people get other packages than in a terminal",
            bug="rstudio/rstudio/issues/16138",
            read=_r_program,
        ),
    ),
    makes=_makes,
)
