"""How a machine is set up beside R: packages, programs, drivers, configuration files."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sandbox.probe.facts import NotSeen
from sandbox.probe.facts_setup import (
    CaBundle,
    ConfigFile,
    LinkedLibrary,
    Manager,
    OdbcDriver,
    SystemPackage,
    Tool,
    UnitSettings,
    UserPackage,
)
from sandbox.probe.frame import Frame, Section, unescape

# What decides how R works, whoever installed it
_MATTERS = re.compile(
    r"R|R-(core|devel|base|java).*|r-.+|shiny-server|rstudio-.+|pandoc|lib(blas|lapack|atlas)3?.*"
    r"|libopenblas.*|openblas.*|flexiblas.*|libicu[0-9]*|icu|fontconfig|fonts-.+|dejavu-.+|tzdata"
    r"|locales(-all)?|glibc-(langpack|locale).*|openjdk-.+|java-.+-openjdk.*|unixodbc.*|quarto"
    r"|ca-certificates|libcurl[34].*|libssl[0-9.]+|openssl.*|libxml2"
)
_HALVES = {"U": "unpacked", "F": "half-configured", "H": "half-installed"}
"""dpkg's second letter for a package that an installation which broke off has left."""
_MOST_HALVES = 10
_BUILT_IN = ("required", "important", "standard")
_ODBC_NO_DRIVERS = ("ODBC", "ODBC Drivers")


def parse_system_packages(
    frame: Frame, owners: Iterable[str]
) -> tuple[tuple[SystemPackage, ...] | None, Manager | None]:
    """The packages that matter: by their names, chosen by somebody, or linked to by R.

    Args:
        frame: the probe's answer.
        owners: of the libraries that R and its packages are linked to.
    """
    wanted = set(owners)
    if (section := frame.first("rpm")) is not None:
        rows = [line.split("\t") for line in section.lines]
        found = [
            SystemPackage(name=row[0], version=row[1])
            for row in rows
            if len(row) > 1 and (_MATTERS.fullmatch(row[0]) or row[0] in wanted)
        ]
        return tuple(sorted(found, key=lambda one: one.name)), "rpm"
    section = frame.first("dpkg")
    if section is None:
        return None, None
    return tuple(_from_dpkg(frame, section, wanted)), "dpkg"


def _from_dpkg(frame: Frame, section: Section, wanted: set[str]) -> Iterator[SystemPackage]:
    automatic = set(frame.lines("apt-auto")) if frame.first("apt-auto") is not None else None
    for line in section.lines:
        state, name, version, priority = (*line.split("\t"), "", "", "", "")[:4]
        if not is_installed(state):
            continue
        # Older answers listed only what matters, without a priority
        built_in = priority in _BUILT_IN
        manual = None if automatic is None else name not in automatic and not built_in
        if manual or not priority or name in wanted or _MATTERS.fullmatch(name):
            yield SystemPackage(name=name, version=version, manual=manual)


def is_installed(state: str) -> bool:
    """Whether dpkg's two letters say so: the first is what is wanted (held, removed), not what is.

    One that waits for a trigger is all there.
    """
    return state[1:2] in ("i", "W", "t")


def half_installed(frame: Frame) -> tuple[NotSeen, ...]:
    """Packages of which some is there and which dpkg does not count as installed."""
    rows = [(*line.split("\t"), "")[:2] for line in frame.lines("dpkg")]
    halves = [f"{name} is {_HALVES[state[1]]}" for state, name in rows if state[1:2] in _HALVES]
    if not halves:
        return ()
    more = len(halves) - _MOST_HALVES
    shown = [*halves[:_MOST_HALVES], *([f"{more} more"] if more > 0 else [])]
    why = f"{', '.join(shown)}: `sudo dpkg --configure -a` ends what was begun"
    return (NotSeen(what="packages that are not wholly installed", why=why),)


def system_versions(frame: Frame) -> dict[str, str]:
    """Every system package with its version."""
    rows = [(*line.split("\t"), "", "") for line in frame.lines("dpkg")]
    found = {name: version for state, name, version, *_ in rows if is_installed(state)}
    rpm = (line.partition("\t") for line in frame.lines("rpm"))
    return found | {name: version for name, _, version in rpm}


def parse_linked(
    linked: Sequence[tuple[str, str]] | None, versions: Mapping[str, str]
) -> tuple[LinkedLibrary, ...] | None:
    """The libraries outside R with what owns them."""
    if linked is None:
        return None
    return tuple(
        LinkedLibrary(path=path, package=owner or None, version=versions.get(owner))
        for path, owner in linked
    )


def parse_tools(frame: Frame) -> tuple[Tool, ...] | None:
    """The programs that R packages call."""
    section = frame.first("tools")
    if section is None:
        return None
    rows = [line.split("\t") for line in section.lines if line.count("\t") == 2]  # noqa: PLR2004
    return tuple(Tool(name=name, path=path, version=said or None) for name, path, said in rows)


def parse_odbc(frame: Frame) -> tuple[OdbcDriver, ...] | None:
    """The drivers that unixODBC knows."""
    section = frame.first("odbcinst")
    if section is None:
        return None
    there = set(frame.lines("odbc-libraries"))
    found = []
    for key, library in section.pairs():
        name, _, setting = key.rpartition(".")
        if name and setting.lower() == "driver" and name not in _ODBC_NO_DRIVERS:
            known = (library in there) if library.startswith("/") else None
            found.append(OdbcDriver(name=name, library=library, library_found=known))
    return tuple(sorted(found, key=lambda one: one.name))


def parse_fonts(frame: Frame) -> tuple[str, ...] | None:
    """File names of fonts."""
    section = frame.first("fonts")
    return tuple(line for line in section.lines if line) if section is not None else None


def parse_certificates(frame: Frame) -> CaBundle | None:
    """The certificates that the machine trusts."""
    section = frame.first("certificates")
    if section is None:
        return None
    path, digest, count = (*section.args, "", "", "")[:3]
    return CaBundle(
        path=path,
        sha256=digest or None,
        certificates=int(count) if count.isdecimal() else None,
        local=tuple(sorted(line for line in section.lines if line)),
    )


def parse_units(frame: Frame) -> tuple[UnitSettings, ...] | None:
    """What the units of R's servers set."""
    if frame.first("units") is None:
        return None
    return tuple(
        UnitSettings(
            name=section.args[0],
            settings={key: value for key, value in section.pairs() if value},
        )
        for section in frame.all("unit")
    )


def parse_user_libraries(frame: Frame) -> tuple[UserPackage, ...]:
    """R packages in people's own libraries."""
    rows = [line.split("\t") for line in frame.lines("user-libraries")]
    return tuple(
        UserPackage(user=row[0], name=row[1], version=row[2], library=row[3])
        for row in rows
        if len(row) == 4  # noqa: PLR2004  (as probe_setup.sh prints them)
    )


def parse_configs(frame: Frame) -> tuple[ConfigFile, ...]:
    """Every configuration file, as keys and values."""
    found = {
        section.args[0]: ConfigFile(path=section.args[0], settings=unescaped(section.pairs()))
        for section in frame.all("config")
        if section.args
    }
    return tuple(found[path] for path in sorted(found))


def unescaped(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Keys and values as they stood in the file; the probe escapes what would break a line."""
    return {key: unescape(value) for key, value in pairs}
