"""renv.lock, formats 1 and 2 and those of renv 0.x: which packages, exactly, and from where."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.errors import BoxError
from sandbox.materials.packages.versions import Requirement, Version, requirements
from sandbox.plain_file import NotPlainError, read_plain
from sandbox.spec.problem import Problem, code, near, short
from sandbox.spec.texts import R_PACKAGE

_MAX_BYTES: Final = 50_000_000
_MAX_SHOWN: Final = 50
"""Problems in one message; a damaged file of a thousand packages has as many."""
_NAME: Final = re.compile(R_PACKAGE)
_URL: Final = re.compile(r"""(https?|file)://[^\s'"\\]+\Z""")
_WORD: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")
_SOURCES: Final = (
    *("Repository", "CRAN", "Bioconductor", "GitHub", "GitLab", "Bitbucket"),
    *("git", "url", "Local", "unknown"),
)
_NEEDS: Final = ("Requirements", "Depends", "Imports", "LinkingTo")


@dataclass(frozen=True)
class RenvPackage:
    """A package as the lock names it."""

    name: str
    version: str
    source: str
    """Repository, Bioconductor, GitHub, GitLab, Bitbucket, git, url, Local or unknown."""
    repository: str
    """A name among the lock's repositories, or a URL; empty when the lock does not say."""
    fields: Mapping[str, str] = field(repr=False)
    """All fields of its record that are text, known to us or not."""
    line: int = 0

    @property
    def remote(self) -> tuple[tuple[str, str], ...]:
        """The fields Remote*, sorted: they go into the installed DESCRIPTION, as renv does it."""
        return tuple(sorted((k, v) for k, v in self.fields.items() if k.startswith("Remote")))

    @property
    def needs(self) -> tuple[Requirement, ...]:
        """What the record says that it needs; the package itself knows better."""
        return requirements(*(self.fields.get(one, "") for one in _NEEDS))


@dataclass(frozen=True)
class RenvLock:
    """The content of a lock file."""

    path: Path
    r_version: str
    repositories: tuple[tuple[str, str], ...]
    """Name and URL of each, in the lock's order."""
    bioconductor: str
    """The release of Bioconductor, `3.19`; empty when there is none."""
    packages: tuple[RenvPackage, ...]

    def place(self, locked: RenvPackage | None = None) -> str:
        """Name the file, and the line of a package in it."""
        line = f":{locked.line}" if locked is not None and locked.line else ""
        return f"{short(self.path)}{line}"


def read_renv_lock(path: Path) -> RenvLock:
    """Read a lock file.

    Raises:
        BoxError: it is no lock file, or says what cannot be; with all that is wrong.
    """
    lock, problems = examine_renv_lock(path)
    if lock is not None:
        return lock
    number = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise BoxError(
        f"the lock file {short(path)} has {number}",
        details="\n".join(str(one) for one in problems[:_MAX_SHOWN]),
        hint="mend it, or write it anew in the project's R: renv::snapshot()",
    )


def examine_renv_lock(path: Path) -> tuple[RenvLock | None, tuple[Problem, ...]]:
    """Read a lock file; return it, or else all that is wrong with it."""
    try:
        text = read_plain(path, max_bytes=_MAX_BYTES).decode("utf-8-sig")
    except (NotPlainError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        return None, (Problem(path, 0, "", why),)
    try:
        said = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        conflict = any(line.startswith("<<<<<<< ") for line in text.splitlines())
        why = "git left a conflict in it" if conflict else f"it is not JSON: {error.msg}"
        return None, (Problem(path, error.lineno, "", why),)
    except RecursionError:
        return None, (Problem(path, 0, "", "it is nested too deeply"),)
    reading = _Reading(path, text, said)
    lock = reading.lock()
    return (None, tuple(reading.problems)) if reading.problems else (lock, ())


class _Pairs(dict[str, object]):
    """A map of the file, which knows the keys that it had twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        seen = [key for key, _ in pairs]
        self.doubled = (
            sorted({key for key in seen if seen.count(key) > 1}) if (len(seen) != len(self)) else []
        )


class _Reading:
    def __init__(self, path: Path, text: str, said: object) -> None:
        self._path, self._said = path, said
        self.problems: list[Problem] = []
        self._lines: dict[str, int] = {}
        # renv writes each package's key on a line of its own
        for number, line in enumerate(text.splitlines(), 1):
            for found in re.finditer(r'"([A-Za-z][A-Za-z0-9.]*)"\s*:\s*\{', line):
                self._lines[found[1]] = number

    def wrong(self, message: str, *, key: str = "", name: str = "", suggestion: str = "") -> None:
        self.problems.append(
            Problem(self._path, self._lines.get(name, 0), key, message, suggestion)
        )

    def lock(self) -> RenvLock:
        top = self._said if isinstance(self._said, dict) else {}
        packages, r = top.get("Packages"), top.get("R")
        if not isinstance(r, dict) or not isinstance(packages, dict):
            known = "it has no map `R`" if not isinstance(r, dict) else "it has no map `Packages`"
            self.wrong(f"this is no renv.lock: {known}")
            return RenvLock(self._path, "", (), "", ())
        for name in getattr(packages, "doubled", []):
            self.wrong(f"{code(name)} is there twice", key="Packages", name=name)
        locked = tuple(
            one for name, said in packages.items() if (one := self._package(str(name), said))
        )
        bioconductor = _map(top.get("Bioconductor")).get("Version", "")
        release = str(bioconductor) if isinstance(bioconductor, str) else ""
        if not release and any(one.source == "Bioconductor" for one in locked):
            self.wrong(
                "it has packages from Bioconductor and does not say which release",
                key="Bioconductor.Version",
                suggestion='Add `"Bioconductor": {"Version": "3.19"}`: each release is for one R',
            )
        return RenvLock(
            self._path,
            self._r_version(r),
            tuple(self._repositories(r)),
            release,
            tuple(sorted(locked, key=lambda one: (one.name.lower(), one.name))),
        )

    def _r_version(self, r: Mapping[str, object]) -> str:
        said = r.get("Version")
        try:
            return str(Version(said if isinstance(said, str) else ""))
        except ValueError:
            self.wrong("the version of R is missing", key="R.Version", name="R")
            return ""

    def _repositories(self, r: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        said = r.get("Repositories", [])
        # renv 0.x wrote a map of names and URLs
        pairs = (
            [{"Name": name, "URL": url} for name, url in said.items()]
            if isinstance(said, dict)
            else said
        )
        for one in pairs if isinstance(pairs, list) else []:
            name, url = _map(one).get("Name", ""), _map(one).get("URL", "")
            if isinstance(name, str) and isinstance(url, str) and _URL.match(url):
                yield name, url.rstrip("/")
            else:
                # Not shown: there may be a login in it
                self.wrong("this is no URL of a repository", key=f"R.Repositories.{name}", name="R")

    def _package(self, name: str, said: object) -> RenvPackage | None:
        key = f"Packages.{name}"
        if not _NAME.fullmatch(name) or not isinstance(said, dict):
            self.wrong("this is no record of an R package", key=key, name=name)
            return None
        fields = {str(k): text for k, v in said.items() if (text := _text(v)) is not None}
        if fields.get("Package", name) != name:
            words = f"the record is called {code(name)}, and is of {code(fields['Package'])}"
            self.wrong(words, key=key, name=name)
        version = fields.get("Version", "")
        try:
            Version(version)
        except ValueError:
            what = f"{code(version)} is not a version" if version else "its version is missing"
            self.wrong(what, key=key, name=name)
        source = fields.get("Source") or ("Repository" if "Repository" in fields else "unknown")
        known = {one.lower(): one for one in _SOURCES}
        if source.lower() not in known:
            words = f"there is no source {code(source)}"
            self.wrong(words, key=f"{key}.Source", name=name, suggestion=near(source, _SOURCES))
        source = known.get(source.lower(), source)
        source = "Repository" if source == "CRAN" else source
        line = self._lines.get(name, 0)
        return RenvPackage(name, version, source, fields.get("Repository", ""), fields, line)


def _map(said: object) -> dict[str, object]:
    return said if isinstance(said, dict) else {}


def _text(said: object) -> str | None:
    """A field as one line of text; None for what no DESCRIPTION can hold."""
    if isinstance(said, list):
        return ", ".join(one for one in said if isinstance(one, str) and _WORD.match(one))
    if isinstance(said, str):
        flat = " ".join(said.split())
        return flat if _WORD.match(flat) else None
    return None
