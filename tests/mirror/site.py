"""Which path answers with which file: the layouts of the servers that the mirror stands for.

/r/                 cdn.posit.co/r: Posit's builds of R
/cran/              a package manager: dated snapshots, three ways to binaries
/__api__/status     of the package manager (and below /cran/, as an instance of one's own has it)
/plain/             an ordinary CRAN mirror: src/contrib and Archive/, nothing else
/bioconductor/      bioconductor.org: /packages/<release>/bioc/src/contrib
/github/            codeload.github.com: /<owner>/<repository>/tar.gz/<commit>
/rstudio/           download2.rstudio.org, and /wp-content/downloads.json of www.rstudio.com
"""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from tests.mirror import rstudio, tarballs
from tests.mirror.binaries import MINORS, Binary
from tests.mirror.contents import Contents, Source
from tests.mirror.own_packages import source as own_source
from tests.mirror.snapshots import DAYS, LATEST, Snapshot, bioconductor, day_of, snapshot

R_AGENT = re.compile(r"^R(?: \(|/)(\d+\.\d+)")
"""How R names itself: `R/4.2.2 R (4.2.2 x86_64-pc-linux-gnu ...)`, or without the first part."""


@dataclass(frozen=True)
class Asked:
    """A request, as far as an answer depends on it."""

    path: str
    query: dict[str, str] = field(default_factory=dict)
    user_agent: str = ""


@dataclass(frozen=True)
class Answer:
    """The bytes of an answer and its headers."""

    body: bytes | Path
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        """Return the bytes."""
        return self.body.read_bytes() if isinstance(self.body, Path) else self.body


@dataclass
class Settings:
    """What a test can change of the site while it serves."""

    today: str = LATEST
    """The day that `latest` and the plain mirror show: a snapshot changes from day to day."""
    has_form_3: bool = True
    """Whether `bin/linux/...` exists: older package managers lack it."""
    only_source: set[str] = field(default_factory=set)
    """Packages whose binaries are gone: their source is served in the same place ("*": all)."""
    built_again: set[str] = field(default_factory=set)
    """Packages of which another build of the same version is served."""
    other_processor: set[str] = field(default_factory=set)
    """Packages whose shared objects are for another processor."""


Route = tuple[re.Pattern[str], Callable[..., Answer | None]]


@dataclass
class Site:
    """The whole site."""

    contents: Contents
    rstudio_folder: Path
    settings: Settings = field(default_factory=Settings)

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer; None is 404."""
        for pattern, route in self._routes:
            if found := pattern.fullmatch(asked.path):
                return route(asked, *found.groups())
        return None

    @cached_property
    def _routes(self) -> tuple[Route, ...]:
        repository, rest = r"/cran", r"/src/contrib/(.+)"
        return tuple((re.compile(pattern), route) for pattern, route in (
            (r"/r/versions\.json", self._r_versions),
            (r"/r/([\w.-]+)/pkgs/(r-[\w.-]+\.deb)", self._r_build),
            (r"(?:/cran)?/__api__/status", self._status),
            (rf"{repository}/(latest|[\d-]+){rest}", self._source),
            (rf"{repository}/__linux__/(\w+)/(latest|[\d-]+){rest}", self._form_1_and_2),
            (rf"{repository}/(latest|[\d-]+)/bin/linux/(\w+)-(\w+)/([\d.]+){rest}", self._form_3),
            (rf"/plain{rest}", self._plain),
            (rf"/bioconductor/packages/([\d.]+)/([\w/]+?){rest}", self._bioconductor),
            (r"/github/([\w.-]+)/([\w.-]+)/tar\.gz/([0-9a-f]{40})", self._github),
            (r"/rstudio/wp-content/downloads\.json", self._downloads),
            (r"/rstudio/(server/\w+/\w+/[\w.-]+\.deb)", self._rstudio),
        ))  # fmt: skip

    def _r_versions(self, _asked: Asked) -> Answer:
        versions = [deb.name.partition("_")[0].removeprefix("r-") for deb in self.contents.r_builds]
        return _json({"r_versions": [*versions, "devel", "next"]})

    def _r_build(self, _asked: Asked, distribution: str, name: str) -> Answer | None:
        version = name.partition("_")[0].removeprefix("r-")
        if version not in R_BUILDS.get(distribution, ()):
            return None
        return _file(self.contents.folder / "r" / name, "application/vnd.debian.binary-package")

    def _status(self, _asked: Asked) -> Answer:
        distros = [
            {
                "name": codename, "os": "linux", "binaryURL": codename, "distribution": "debian",
                "release": release, "binaries": True, "sysReqs": True, "hidden": False,
                "arch": "x86_64",
            }
            for codename, release in (("bullseye", "11"), ("bookworm", "12"), ("trixie", "13"))
        ]  # fmt: skip
        return _json({
            "version": "2026.04.0", "r_versions": sorted(MINORS.values(), reverse=True),
            "binaries_enabled": True, "distros": distros,
            "bioc_versions": [
                {"bioc_version": "3.20", "r_version": "4.5", "cran_snapshot": "2025-08-11"},
                {"bioc_version": "3.16", "r_version": "4.2", "cran_snapshot": "2023-06-12"},
            ],
        })  # fmt: skip

    def _source(self, _asked: Asked, date: str, rest: str) -> Answer | None:
        shot = self._snapshot(date)
        return _manager(_repository_file(shot, rest)) if shot else None

    def _form_1_and_2(self, asked: Asked, codename: str, date: str, rest: str) -> Answer | None:
        shot = self._snapshot(date)
        if shot is None:
            return None
        agent = R_AGENT.match(asked.user_agent)
        minor = asked.query.get("r_version") or (agent.group(1) if agent else "")
        arch = asked.query.get("arch", "x86_64")
        binary = self._binary(shot, codename, arch, minor, rest)
        return binary or _manager(_repository_file(shot, rest))

    def _form_3(
        self, _asked: Asked, date: str, codename: str, arch: str, minor: str, rest: str
    ) -> Answer | None:
        shot = self._snapshot(date)
        if shot is None or not self.settings.has_form_3 or codename not in MINORS:
            return None
        if index := _index_form(rest):
            return _manager(index(self._stanza_with_binary(shot, codename, arch, minor)))
        return self._binary(shot, codename, arch, minor, rest) or _manager(
            _repository_file(shot, rest)
        )

    def _plain(self, _asked: Asked, rest: str) -> Answer | None:
        shot = self._snapshot("latest")
        return _repository_file(shot, rest) if shot else None

    def _bioconductor(self, _asked: Asked, release: str, part: str, rest: str) -> Answer | None:
        sources = bioconductor(self.contents, release)
        if not sources or part not in BIOCONDUCTOR_PARTS:
            return None
        shown = sources if part == "bioc" else ()
        return _repository_file(Snapshot(release, shown, ()), rest)

    def _github(self, _asked: Asked, _owner: str, repository: str, commit: str) -> Answer:
        made = own_source(repository, f"0.0.0.{int(commit[:4], 16)}", "A Package on GitHub")
        moved = tarballs.in_folder(made, f"{repository}-{commit}")
        return Answer(moved, "application/x-gzip")

    def _downloads(self, _asked: Asked) -> Answer:
        return _json(rstudio.downloads(self.rstudio_folder))

    def _rstudio(self, _asked: Asked, path: str) -> Answer | None:
        return _file(self.rstudio_folder / path, "application/x-debian-package")

    def _snapshot(self, date: str) -> Snapshot | None:
        today = self.settings.today
        day = day_of(today if date == "latest" else date, today=today)
        return snapshot(self.contents, day) if day else None

    def _binary(
        self, shot: Snapshot, codename: str, arch: str, minor: str, file_name: str
    ) -> Answer | None:
        found = self._built(shot.named(file_name), codename, arch, minor)
        if found is None:
            return None
        name = found.description.name
        data = found.path.read_bytes()
        if name in self.settings.built_again:
            data = tarballs.rewrite(data, tarballs.built_again)
        if name in self.settings.other_processor:
            data = tarballs.rewrite(data, tarballs.for_other_processor)
        return _manager(Answer(data, "application/x-tar"), tag=f"{minor}-{codename}")

    def _built(self, source: Source | None, codename: str, arch: str, minor: str) -> Binary | None:
        gone = self.settings.only_source
        if source is None or arch != "x86_64" or {source.description.name, "*"} & gone:
            return None
        for binary in self.contents.binaries:
            if (binary.codename, binary.r_minor, binary.description) == (
                codename, minor, source.description,
            ):  # fmt: skip
                return binary
        return None

    def _stanza_with_binary(
        self, shot: Snapshot, codename: str, arch: str, minor: str
    ) -> Iterable[str]:
        for source in shot.current:
            found = self._built(source, codename, arch, minor)
            if found is None:
                yield _stanza(source)
            else:
                yield source.description.stanza(Built=found.description.fields["Built"])


R_BUILDS = {
    "debian-11": ("4.0.4",),
    "debian-12": ("4.0.4", "4.2.2"),
    "debian-13": ("4.5.0",),
    "manylinux_2_34": ("4.0.4", "4.2.2"),
}
"""Which R each distribution has. The last one stands for the portable builds, with the same files
as for Debian 12: it is the layout of the paths that is portable, not these."""

BIOCONDUCTOR_PARTS = ("bioc", "data/annotation", "data/experiment", "workflows", "books")


def _repository_file(shot: Snapshot, rest: str) -> Answer | None:
    """Answer what is below src/contrib: the index, a tarball, or one of the archive."""
    if index := _index_form(rest):
        return index(map(_stanza, shot.current))
    if found := re.fullmatch(r"Archive/([\w.]+)/([\w.-]+)", rest):
        source = shot.archived(found.group(2))
        if source is not None and source.description.name != found.group(1):
            return None
    else:
        source = shot.named(rest)
    return Answer(source.path, "application/x-gzip") if source else None


def _index_form(rest: str) -> Callable[[Iterable[str]], Answer] | None:
    if rest == "PACKAGES":
        return lambda stanzas: Answer("\n".join(stanzas).encode(), "text/plain")
    if rest == "PACKAGES.gz":
        return lambda stanzas: Answer(
            gzip.compress("\n".join(stanzas).encode(), mtime=0), "application/x-gzip"
        )
    return None


def _stanza(source: Source) -> str:
    return source.description.stanza(MD5sum=_md5(source.path))


@lru_cache(maxsize=1000)
def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _manager(answer: Answer | None, tag: str = "") -> Answer | None:
    """Add the headers of a package manager; the tag says of what a binary is one."""
    if answer is None:
        return None
    headers = {"x-repository-type": "RSPM", "x-package-type": "binary" if tag else "source"}
    if tag:
        headers["x-package-binary-tag"] = tag
    return Answer(answer.body, answer.content_type, headers)


def _file(path: Path, content_type: str) -> Answer | None:
    return Answer(path, content_type) if path.is_file() else None


def _json(value: object) -> Answer:
    return Answer(json.dumps(value, indent=2).encode(), "application/json")


__all__ = ["DAYS", "Answer", "Asked", "Settings", "Site"]
