"""What R said about itself, as facts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from sandbox.probe.facts import (
    Graphics,
    L10n,
    Limit,
    Limits,
    NotSeen,
    PackageLoad,
    RInstallation,
    RPackage,
    RView,
    UnresolvedObject,
    Viewer,
)
from sandbox.probe.facts_setup import ConfigFile
from sandbox.probe.frame import Frame, Section, unescape
from sandbox.probe.redact import redact_text

_LIMIT_LINE = re.compile(r"Max (open files|processes) +(\S+) +(\S+)")
_NOT_TEXT = "\N{REPLACEMENT CHARACTER}"
"""Stands in an answer where its bytes were not UTF-8."""
_NAMED = {"environment": "the variable", "option": "the option", "repo": "the repository"}
# timeout(1): it asked R to end, or had to make it
_ENDINGS = {
    "124": "R did not answer in time",
    "137": "R was killed: memory ran out, or it did not answer in time",
}


@dataclass(frozen=True)
class RFacts:
    """Everything about R."""

    installations: tuple[RInstallation, ...]
    unresolved: tuple[UnresolvedObject, ...] | None
    linked: tuple[tuple[str, str], ...] | None
    """Libraries outside R, and the system package that each belongs to (or an empty string)."""
    not_seen: tuple[NotSeen, ...]
    code: tuple[ConfigFile, ...] = ()
    """Rprofile.site of each R, expression by expression, as R itself reads it."""


@dataclass
class _Said:
    """The facts of one R process, sorted by kind."""

    noise: list[str] = field(default_factory=list)
    facts: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    last_words: list[str] = field(default_factory=list)
    """What stands between the facts: words of a package while it is loaded."""
    unreadable: list[str] = field(default_factory=list)
    """What has a value that is no text, by its name."""

    def one(self, kind: str) -> str:
        """The only value of `kind`, or an empty string."""
        rows = self.facts.get(kind, [])
        return rows[0][0] if rows else ""

    def column(self, kind: str) -> tuple[str, ...]:
        return tuple(row[0] for row in self.facts.get(kind, []))

    def table(self, kind: str) -> dict[str, str]:
        """`kind` as name → value."""
        rows = self.facts.get(kind, [])
        return {name: value for name, value, *_ in rows}


def parse_r(frame: Frame) -> RFacts:
    """Every R installation with its views."""
    found = frame.first("r-found")
    on_path = found.args[0] if found is not None and found.args else ""
    not_seen: list[NotSeen] = []
    views: list[RView] = []
    unresolved: set[tuple[str, str]] = set()
    linked: list[tuple[str, str]] = []
    code: dict[str, dict[str, str]] = {}
    checked = False
    for seen_by, view_section in _final_sections(frame):
        if view_section.name == "r-failed":
            not_seen.append(_failed(seen_by, view_section))
            continue
        said = _read(view_section.lines, frame.boundary)
        if view_section.args[1] == "worker":
            # The app's own; ours may not have been raised to them
            said.facts["limit"] = [(line,) for line in _worker_limits(frame, seen_by)]
        views.append(_view(view_section, said, _startup_error(frame, view_section)))
        unresolved.update((path, name) for path, name in said.facts.get("unresolved", []))
        linked.extend((path, owner) for path, owner in said.facts.get("linked", []))
        for path, number, text in said.facts.get("code", []):
            code.setdefault(path, {})[f"expression {number}"] = text
        not_seen.extend(
            NotSeen(what=path, why=why) for path, why in said.facts.get("code_failed", [])
        )
        not_seen.extend(
            NotSeen(what=f"{what} in R ({seen_by})", why="it has bytes that are not UTF-8")
            for what in said.unreadable
        )
        if said.one("objects_checked"):
            checked = True
        elif why := _ENDINGS.get(view_section.args[3]):
            not_seen.append(NotSeen(what=f"libraries of R's packages ({seen_by})", why=why))
        not_seen.extend(
            NotSeen(what=f"R's {what} ({seen_by})", why=redact_text(why))
            for what, why in said.facts.get("failed", [])
        )
    return RFacts(
        installations=_installations(found.lines if found is not None else (), on_path, views),
        unresolved=_unresolved(unresolved) if checked else None,
        linked=tuple(linked) if checked else None,
        not_seen=tuple(dict.fromkeys(not_seen)),
        code=tuple(ConfigFile(path=path, settings=code[path]) for path in sorted(code)),
    )


def _worker_limits(frame: Frame, seen_by: str) -> Sequence[str]:
    """Of the process that the view was taken like; older answers did not say whose."""
    sections = frame.all("worker-limits")
    return next((one.lines for one in sections if not one.args or one.args[0] == seen_by), ())


def _final_sections(frame: Frame) -> Iterator[tuple[str, Section]]:
    """Of each view the section that counts: the last, as a failed start is tried in another way."""
    last: dict[tuple[str, str], Section] = {}
    for section in frame.sections:
        if section.name in ("r-view", "r-failed"):
            seen_by, _, home, *_ = section.args
            last[seen_by, home if seen_by == "login" else ""] = section
    for (seen_by, _), section in last.items():
        yield seen_by, section


def _startup_error(frame: Frame, view: Section) -> str | None:
    """What R said when it did not start with its site files, if that happened before this view."""
    for section in frame.all("r-failed"):
        if section.args[:3] == view.args[:3]:
            return _why_failed(section)
    return None


def _failed(seen_by: str, section: Section) -> NotSeen:
    inside = {"shiny": "R inside a Shiny app", "rstudio": "R inside an RStudio session"}
    what = inside.get(seen_by, f"R of {section.args[2]}")
    return NotSeen(what=what, why=_why_failed(section))


def _why_failed(section: Section) -> str:
    words = redact_text("\n".join(_own_words(section.lines)).strip())
    if ending := _ENDINGS.get(section.args[3]):
        return f"{ending}\n{words}".strip()
    return words or f"R ended with exit status {section.args[3]} and without a word"


def _read(lines: Sequence[str], boundary: str) -> _Said:
    said = _Said()
    started = False
    for line in lines:
        if not line.startswith(f"{boundary}\t"):
            # Before our first line it is start-up noise; later, words of a package being loaded
            (said.last_words if started else said.noise).append(line)
            continue
        started = True
        word, *fields = line.split("\t")[1:]
        if word != "fact":
            continue
        kind, *values = (unescape(value) for value in fields)
        if kind in _NAMED and any(_NOT_TEXT in value for value in values):
            said.unreadable.append(f"{_NAMED[kind]} {values[0]}")
            continue
        said.facts.setdefault(kind, []).append(tuple(values))
        if kind == "loading":
            said.last_words.clear()
    return said


def _loads(said: _Said, status: str) -> tuple[PackageLoad, ...]:
    """Each package that was asked for, also when R ended in the middle of them."""
    loaded = said.table("loaded")
    failed = said.table("not_loaded")
    begun = said.column("loading")
    tried = frozenset(begun)
    words = redact_text("\n".join(said.last_words).strip())
    end = _ENDINGS.get(status, "R itself ended")
    found = []
    for name in said.column("to_load"):
        if name in loaded:
            found.append(PackageLoad(name=name, ok=True, version=loaded[name]))
            continue
        error = failed.get(name) or f"{end}: {words}".removesuffix(": ")
        if name not in tried:
            error = f"not tried: {end} while it loaded {begun[-1] if begun else 'others'}"
        found.append(PackageLoad(name=name, ok=False, error=redact_text(error)))
    return tuple(found)


def _view(section: Section, said: _Said, startup_error: str | None) -> RView:
    seen_by, how, _, status, *profile = section.args
    environment = said.table("environment")
    timezone = said.one("timezone")
    exec_answer = said.one("tempdir_exec")
    return RView(
        seen_by=cast("Viewer", seen_by),
        how=cast("Literal['login', 'worker', 'replay']", how),
        user=said.one("user"),
        working_dir=said.one("working_dir"),
        version_string=said.one("version_string"),
        version=said.one("version"),
        home=said.one("home"),
        locale=said.table("locale"),
        l10n=_l10n(said),
        timezone=timezone if timezone not in ("", "NA") else None,
        tz_variable=environment.get("TZ"),
        environment=environment,
        environment_files=_environment_files(said),
        capabilities={name: _flag(value) for name, value in said.table("capability").items()},
        external_software=said.table("software"),
        la_library=said.one("la_library"),
        la_version=said.one("la_version"),
        rng_kind=said.column("rng_kind"),
        repos=said.table("repo"),
        options=said.table("option"),
        lib_paths=said.column("lib_path"),
        packages=_packages(said),
        umask=said.one("umask"),
        limits=_limits(said.column("limit")),
        tempdir=said.one("tempdir"),
        tempdir_exec=_flag(exec_answer) if exec_answer else None,
        sort_probe=said.column("sort_probe"),
        graphics=_graphics(said),
        loads=_loads(said, status),
        programs=said.table("program"),
        startup_output=redact_text("\n".join(_own_words(said.noise)).strip()),
        startup_error=startup_error,
        profile_skipped=(profile[0] or None) if profile else None,
    )


def _own_words(noise: Sequence[str]) -> Iterator[str]:
    """What R said, without what su says on Shiny Server's road to it."""
    return (line for line in noise if not line.startswith("su: ignoring --preserve-environment"))


def _flag(value: str) -> bool | None:
    return {"TRUE": True, "FALSE": False}.get(value)


def _environment_files(said: _Said) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for path, name in said.facts.get("environment_file", []):
        found.setdefault(path, []).append(name)
    return {path: tuple(dict.fromkeys(names)) for path, names in found.items()}


def _l10n(said: _Said) -> L10n:
    rows = said.facts.get("l10n", [])
    multibyte, utf8, latin1, codeset = rows[0] if rows else ("", "", "", "")
    return L10n(
        multibyte=multibyte == "TRUE",
        utf8=utf8 == "TRUE",
        latin1=latin1 == "TRUE",
        codeset=codeset or None,
    )


def _packages(said: _Said) -> tuple[RPackage, ...]:
    return tuple(_package(*row) for row in said.facts.get("package", []))


def _package(  # noqa: PLR0917  (the fields of one line, in their order)
    name: str,
    version: str,
    library: str,
    built: str,
    priority: str = "",
    repository: str = "",
    remote: str = "",
    needs: str = "",
) -> RPackage:
    return RPackage(
        name=name,
        version=version,
        library=library,
        built=built,
        priority=priority or None,
        repository=repository or None,
        remote=remote or None,
        needs=tuple(one for one in needs.split() if one != "R"),
    )


def _graphics(said: _Said) -> Graphics:
    rows = said.facts.get("graphics", [])
    if not rows:
        error = redact_text(said.one("graphics_error"))
        return Graphics(png_written=False, real_glyphs=None, error=error or None)
    written, real, *picture = rows[0]
    return Graphics(
        png_written=written == "TRUE",
        real_glyphs=_flag(real),
        picture=(picture[0] or None) if picture else None,
    )


def _limits(lines: Sequence[str]) -> Limits:
    found: dict[str, Limit] = {}
    for line in lines:
        if match := _LIMIT_LINE.match(line):
            found[match[1]] = Limit(soft=_limit(match[2]), hard=_limit(match[3]))
    return Limits(nofile=found.get("open files"), nproc=found.get("processes"))


def _limit(text: str) -> int | None:
    return None if text == "unlimited" else int(text)


def _unresolved(pairs: set[tuple[str, str]]) -> tuple[UnresolvedObject, ...]:
    by_path: dict[str, list[str]] = {}
    for path, name in sorted(pairs):
        by_path.setdefault(path, []).append(name)
    return tuple(UnresolvedObject(path=path, missing=tuple(m)) for path, m in by_path.items())


def _installations(
    lines: Sequence[str], on_path: str, views: Sequence[RView]
) -> tuple[RInstallation, ...]:
    versions: dict[str, str] = {}
    found_as: dict[str, list[str]] = {}
    path_home = ""
    for line in filter(None, lines):
        home, version, name, program = line.split("\t")
        versions[home] = version
        if name not in found_as.setdefault(home, []):
            found_as[home].append(name)
        if on_path and program == on_path:
            path_home = home
    for view in views:
        # An app may run an R that stands in none of the usual places
        versions.setdefault(view.home, view.version)
        found_as.setdefault(view.home, [])
    return _ordered(versions, found_as, path_home, views)


def _ordered(
    versions: Mapping[str, str],
    found_as: Mapping[str, Sequence[str]],
    path_home: str,
    views: Sequence[RView],
) -> tuple[RInstallation, ...]:
    return tuple(
        RInstallation(
            home=home,
            version=versions[home] or None,
            found_as=tuple(found_as[home]),
            on_path=home == path_home,
            views=tuple(view for view in views if view.home == home),
        )
        for home in sorted(versions, key=lambda home: (home != path_home, home))
    )
