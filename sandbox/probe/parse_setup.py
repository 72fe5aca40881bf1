"""How a machine is set up beside R: packages, programs, drivers, configuration files."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

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
from sandbox.probe.frame import Frame, Section
from sandbox.probe.redact import redact, redact_text

# What decides how R works, whoever installed it
_MATTERS = re.compile(
    r"R|R-(core|devel|base|java).*|r-.+|shiny-server|rstudio-.+|pandoc|lib(blas|lapack|atlas)3?.*"
    r"|libopenblas.*|openblas.*|flexiblas.*|libicu[0-9]*|icu|fontconfig|fonts-.+|dejavu-.+|tzdata"
    r"|locales(-all)?|glibc-(langpack|locale).*|openjdk-.+|java-.+-openjdk.*|unixodbc.*|quarto"
    r"|ca-certificates|libcurl[34].*|libssl[0-9.]+|openssl.*|libxml2"
)
_BUILT_IN = ("required", "important", "standard")
_VERSION = re.compile(r"\d+(\.\d+)*([._+-]\w+)*")
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
        if not state.startswith("ii"):
            continue
        # Older answers listed only what matters, without a priority
        built_in = priority in _BUILT_IN
        manual = None if automatic is None else name not in automatic and not built_in
        if manual or not priority or name in wanted or _MATTERS.fullmatch(name):
            yield SystemPackage(name=name, version=version, manual=manual)


def system_versions(frame: Frame) -> dict[str, str]:
    """Every system package with its version."""
    rows = [(*line.split("\t"), "", "") for line in frame.lines("dpkg")]
    found = {name: version for state, name, version, *_ in rows if state.startswith("ii")}
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
    return tuple(Tool(name=name, path=path, version=_version(said)) for name, path, said in rows)


def _version(said: str) -> str | None:
    # `gcc (Debian 12.2.0-14) 12.2.0`, `java version "17.0.2" 2022-01-18`
    if quoted := re.search(r'"(\d[^"]*)"', said):
        return quoted[1]
    without_brackets = re.sub(r"\([^)]*\)", "", said)
    found = _VERSION.search(without_brackets)
    return found[0] if found else None


def parse_odbc(frame: Frame) -> tuple[OdbcDriver, ...] | None:
    """The drivers that unixODBC knows."""
    section = frame.first("odbcinst")
    if section is None:
        return None
    there = set(frame.lines("odbc-libraries"))
    found = []
    for name, values in _ini(section.lines):
        library = next((v for k, v in values.items() if k.lower() == "driver"), None)
        if name not in _ODBC_NO_DRIVERS and library is not None:
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
            settings={
                key: redact(key, value)
                for key, equals, value in (line.partition("=") for line in section.lines)
                if equals and value not in ("", "[not set]")
            },
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
        section.args[0]: ConfigFile(
            path=section.args[0], settings=_settings(section.args[0], section.lines)
        )
        for section in frame.all("config")
        if section.args
    }
    return tuple(found[path] for path in sorted(found))


def _settings(path: str, lines: Sequence[str]) -> dict[str, str]:
    name = PurePosixPath(path).name
    lines = [line for line in lines if line.strip()]
    if name in ("Rprofile.site", "shiny-server.conf", "rstudio-prefs.json", "r-versions") or (
        "/security/" in path
    ):
        # Code, or a format of its own: line by line
        return {f"line {number}": redact_text(line) for number, line in enumerate(lines, 1)}
    return {
        f"{section}.{key}" if section else key: redact(key, value)
        for section, values in _ini(lines)
        for key, value in values.items()
    }


def _ini(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """`[section]` and `key = value`; gcfg's `[section "name"]` too. A repeated key is numbered."""
    section, values = "", dict[str, str]()
    counts = Counter[str]()
    for line in lines:
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            yield section, values
            section, values = text[1:-1].replace('"', "").strip(), {}
            counts.clear()
            continue
        key, _, value = text.removeprefix("export ").partition("=")
        key = key.strip()
        counts[key] += 1
        fresh = key if counts[key] == 1 else f"{key} #{counts[key]}"
        while fresh in values:
            # A key that is itself called so
            counts[key] += 1
            fresh = f"{key} #{counts[key]}"
        values[fresh] = value.strip().strip("\"'")
    yield section, values
