"""What of a production server a box can say, and what has to be said in a comment."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.fidelity.r_readings import COSMETIC_OPTIONS, blas_family, loaded_packages
from sandbox.probe.facts import Facts, RInstallation, RView
from sandbox.probe.untaken import is_untaken
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases

# Options as R has them without any profile; what differs, somebody has set
_R_DEFAULTS = {
    "add.smooth": "TRUE", "browserNLdisabled": "FALSE", "CBoundsCheck": "FALSE",
    "check.bounds": "FALSE", "contrasts": "contr.treatment, contr.poly",
    "deparse.cutoff": "60", "deparse.max.lines": "-1",
    "digits": "7", "encoding": "native.enc", "expressions": "5000", "keep.parse.data": "TRUE",
    "keep.parse.data.pkgs": "FALSE", "keep.source": "FALSE", "keep.source.pkgs": "FALSE",
    "matprod": "default", "max.contour.segments": "25000", "max.print": "99999",
    "max.deparse.length": "60", "na.action": "na.omit",
    "nwarnings": "50", "OutDec": ".", "PCRE_limit_recursion": "NA", "PCRE_study": "FALSE",
    "PCRE_use_JIT": "TRUE", "pkgType": "source", "scipen": "0", "show.coef.Pvalues": "TRUE",
    "show.error.messages": "TRUE", "show.signif.stars": "TRUE", "showErrorCalls": "TRUE",
    "showNCalls": "50", "showWarnCalls": "FALSE", "stringsAsFactors": "FALSE", "timeout": "60",
    "ts.eps": "1e-05", "ts.S.compat": "FALSE", "useFancyQuotes": "TRUE", "warn": "0",
    "warning.length": "1000", "warnPartialMatchArgs": "FALSE", "warnPartialMatchAttr": "FALSE",
    "warnPartialMatchDollar": "FALSE", "width": "80", "width.cutoff": "60",
    "catch.script.errors": "FALSE", "digits.secs": "NULL", "traceback.max.lines": "-1", "repos": "",
}  # fmt: skip
_NOT_TO_SET = re.compile(rf"{COSMETIC_OPTIONS.pattern}|str\..*|ts\..*")
_NOT_TO_EXPORT = re.compile(
    r"LN_S|MAKE|SED|TAR|PATH|LD_LIBRARY_PATH|MANPATH|INFOPATH|LANG|LANGUAGE|LC_.*|TZ|HOME|USER|LOGNAME|SHELL|TERM|PWD"
    r"|R_.*|_R_.*|LESS.*|HIST.*|PS1|LS_COLORS|MAIL|EDITOR|PAGER|VISUAL|BASH_.*|PROFILEHOME|CVS_RSH"
    r"|G_BROKEN_FILENAMES|DEBUGINFOD_.*|which_declare|XDG_.*|SELINUX_.*|MODULE.*|LMOD_.*|_.*"
)
_OF_A_SESSION = re.compile(
    r"SSH_|SUDO_|DBUS_|INVOCATION_|JOURNAL_|SYSTEMD_|MOTD_|SHLVL|OLDPWD|HOSTNAME"
)
_FOR_R = re.compile(
    r".+-dev|pandoc|quarto|git|curl|make|gcc|g\+\+|gfortran|build-essential|cmake|cargo"
    r"|(default|openjdk)-.+|unixodbc|tdsodbc|odbc-.+|libsqliteodbc|fonts-.+|texlive.*|imagemagick"
    r"|ghostscript|gdal-bin|jags|chromium|nodejs|postgresql-client.*|default-mysql-client|sqlite3"
)
_BROUGHT = ("fonts-dejavu-core", "fonts-dejavu-mono", "fonts-mathjax", "r-base-dev")
_ROUND_MB = 256
_PACKAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")


@dataclass(frozen=True)
class Room:
    """The most that the computer which will run the sandbox can give it."""

    cpus: int
    memory_mb: int
    disk_gb: int = 40


def main_r(facts: Facts) -> RInstallation | None:
    """The R that people get: that on the PATH, else that of the apps, else any."""
    for seen_by in ("login", "shiny", "rstudio"):
        for one in facts.r:
            if any(view.seen_by == seen_by for view in one.views) and (
                one.on_path or seen_by != "login"
            ):
                return one
    return facts.r[0] if facts.r else None


def main_view(facts: Facts) -> RView | None:
    """How it is seen: by a login, which has everything that everybody has."""
    r = main_r(facts)
    return r.views[0] if r is not None and r.views else None


def choose_base(facts: Facts, bases: Bases) -> tuple[Base, tuple[str, ...]]:
    """The base that comes nearest, and in what it does not.

    The release counts most where it brings production's R; else R's version does, for it decides
    what code gives.
    """
    r = main_r(facts)
    wanted = r.version if r is not None else None
    same_os = next((b for b in bases.values() if _is_release(b, facts)), None)
    by_r = [base for base in bases.values() if wanted and series(base.r_version) == series(wanted)]
    if same_os is not None and (wanted is None or same_os in by_r):
        base = same_os
    elif by_r:
        base = by_r[-1]
    elif same_os is not None:
        base = same_os
    else:
        base = min(bases.values(), key=lambda one: _distance(one.r_version, wanted))
    notes = []
    if base is not same_os:
        notes.append(f"production runs {facts.os.name or facts.os.id}; the nearest is {base.name}")
    if wanted is not None and base.r_version != wanted:
        nearest = "" if base in by_r else "; no base has it"
        notes.append(
            f"production's R is {wanted} ({r.home if r else ''}){nearest}: "
            f"{base.name} has {base.r_version}"
        )
    return base, tuple(notes)


def _is_release(base: Base, facts: Facts) -> bool:
    return base.distribution == facts.os.id and base.name == f"{facts.os.id}-{facts.os.version}"


def series(version: str) -> str:
    """`4.2` of 4.2.2."""
    return ".".join(version.split(".")[:2])


def _distance(version: str, wanted: str | None) -> int:
    """In minor versions, the way R counts them; without an R, the newest base is the nearest."""

    def number(text: str) -> int:
        major, minor, *_ = (*re.findall(r"\d+", text), "0", "0")
        return int(major) * 100 + int(minor)

    return abs(number(version) - number(wanted)) if wanted else -number(version)


def options(view: RView) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """The options somebody has set; the names of those not taken; of those a box cannot say."""
    found, secret, unsaid = {}, [], []
    for name, value in sorted(view.options.items()):
        if _NOT_TO_SET.fullmatch(name) or _R_DEFAULTS.get(name) == value:
            continue
        several = ", " in value and name not in _R_DEFAULTS
        if is_untaken(value):
            secret.append(name)
        elif not value.isprintable() or several:
            unsaid.append(name)
        elif re.fullmatch(r"[A-Za-z.][A-Za-z0-9._]*", name):
            found[name] = value
    return found, tuple(secret), tuple(unsaid)


def environment(facts: Facts) -> tuple[dict[str, str], tuple[str, ...]]:
    """What every R is given by files or profiles, and the names of what of it was not taken."""
    found: dict[str, str] = {}
    for config in facts.configs:
        if config.path.endswith(("/etc/environment", "Renviron.site")):
            for name, value in config.settings.items():
                plain = re.fullmatch(rf"\$\{{{re.escape(name)}:?-(.*)\}}", value)
                found[name] = plain[1].strip("'\"") if plain else value
    view = main_view(facts)
    if view is not None:
        found |= {name: value for name, value in view.environment.items() if name not in found}
    kept = {
        name: value
        for name, value in sorted(found.items())
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        and not _NOT_TO_EXPORT.fullmatch(name)
        and not _is_of_a_session(name)
        and ("${" not in value or is_untaken(value))
        and value.isprintable()
    }
    secret = tuple(name for name, value in kept.items() if is_untaken(value))
    return {name: value for name, value in kept.items() if name not in secret}, secret


def _is_of_a_session(name: str) -> bool:
    return _OF_A_SESSION.match(name) is not None


def r_packages(view: RView) -> tuple[str, ...]:
    """The packages that somebody wanted: those that no other package brings along."""
    mine = loaded_packages(view)
    priority = {one.name for one in view.packages if one.priority}
    needed = {need for one in view.packages for need in one.needs if one.name not in priority}
    wanted = [
        name
        for name in mine
        if name not in needed and name not in priority and _PACKAGE_NAME.fullmatch(name)
    ]
    return tuple(sorted(wanted, key=str.lower))


def by_hand(facts: Facts, view: RView) -> Iterator[str]:
    """R packages that did not come with the distribution, with where they are."""
    debian = {one.name for one in facts.system_packages or ()}
    priority = {one.name for one in view.packages if one.priority}
    for name, one in sorted(loaded_packages(view).items()):
        if name not in priority and f"r-cran-{name.lower()}" not in debian:
            source = f", {one.remote}" if one.remote else ""
            yield f"{name} {one.version} ({one.library}{source})"


def shadowed(view: RView) -> Iterator[str]:
    """R packages that are in two libraries in two versions."""
    versions: dict[str, set[str]] = {}
    for package in view.packages:
        versions.setdefault(package.name, set()).add(package.version)
    for name, one in sorted(loaded_packages(view).items()):
        if others := versions[name] - {one.version}:
            yield f"{name}: {one.version} in {one.library}, also {', '.join(sorted(others))}"


def system_packages(facts: Facts) -> tuple[tuple[str, ...], int]:
    """Debian packages that R's packages may need, and how many others somebody installed."""
    chosen = [one.name for one in facts.system_packages or () if one.manual]
    for_r = [name for name in chosen if _FOR_R.fullmatch(name) and name not in _BROUGHT]
    others = [name for name in chosen if not _FOR_R.fullmatch(name) and not name.startswith("r-")]
    return tuple(sorted(for_r)), len(others)


def machine(facts: Facts, room: Room) -> tuple[dict[str, int], tuple[str, ...]]:
    """Its size, as far as the sandbox's computer can give it, and what that takes away."""
    size = facts.machine
    found: dict[str, int] = {}
    notes = []
    for key, actual, most in (
        ("cpus", size.cpus, room.cpus),
        ("memory_mb", _rounded(size.memory_mb), room.memory_mb),
        ("disk_gb", _gigabytes(size.disk_mb), room.disk_gb),
    ):
        if actual is None:
            notes.append(f"{key} of production could not be seen: the sandbox has the default")
            continue
        found[key] = min(actual, most)
        if actual > most:
            notes.append(f"{key} of production is {actual}: more than there is here")
    return found, tuple(notes)


def _rounded(memory_mb: int | None) -> int | None:
    """The kernel keeps a part for itself: back to what the machine was given."""
    if memory_mb is None:
        return None
    return max(_ROUND_MB, -(-memory_mb // _ROUND_MB) * _ROUND_MB)


def _gigabytes(disk_mb: int | None) -> int | None:
    return max(4, -(-disk_mb // 1024)) if disk_mb is not None else None


def nofile(view: RView) -> int | None:
    """The limit of open files that somebody has set; the usual ones of systemd are none."""
    limit = view.limits.nofile
    if limit is None or limit.soft in (None, 1024, 4096, 524288, 1048576, 1073741816):
        return None
    return limit.soft if limit.soft is not None and 256 <= limit.soft < 1048576 else None  # noqa: PLR2004


def blas(view: RView) -> tuple[str | None, str]:
    """`openblas` or `reference`, or None and the name of what a box cannot ask for."""
    family = blas_family(view.external_software.get("BLAS") or view.la_library)
    if family in ("openblas", "reference"):
        return family, family
    return ("reference" if family == "R's own" else None), family
