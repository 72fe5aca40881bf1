"""Fetch Posit's builds of R for a machine: its distribution's own, else the portable one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from sandbox.architecture import debian_architecture
from sandbox.errors import BoxError
from sandbox.fetch import addresses
from sandbox.fetch.errors import AbsentFileError
from sandbox.obtained import Materials, Obtained
from sandbox.plan import Plan
from sandbox.spec.posit_r import PORTABLE, PositBuilds, deb_name, posit_builds
from sandbox.spec.problem import short
from sandbox.spec.r_installed import MachineR

if TYPE_CHECKING:
    from sandbox.fetch.fetcher import Fetched, LooksWrong

_ARCHITECTURES: Final = ("amd64", "arm64")
_DEB: Final = b"!<arch>\ndebian-binary"

# The portable build has its libraries inside, but for these two of its windows' (r-builds#341)
_PORTABLE_NEEDS: Final = ("libx11-6", "libxcursor1")

_TRUSTED: Final = (
    "Posit publishes no checksums of its builds of R: what came now is trusted, and kept by its "
    "own SHA-256"
)


class FileFetcher(Protocol):
    """The part of `sandbox.fetch.fetcher.Fetcher` that is needed here."""

    def obtain(self, urls: Sequence[str], *, looks_wrong: "LooksWrong | None" = None) -> "Fetched":
        """Return a file from the store, or from the first URL that has it.

        Raises:
            AbsentFileError: no URL has it.
            FetchError: it cannot be fetched.
        """
        ...


def obtain(plan: Plan, fetcher: FileFetcher, tell: Callable[[str], None]) -> Materials:
    """Fetch every build of Posit's that the plan's machine gets.

    Raises:
        BoxError: Posit does not have one of them for this base, or none that fits the plan.
        FetchError: one cannot be fetched.
    """
    wanted = [one for one in plan.rs if one.source == "posit"]
    builds = posit_builds(plan.base)
    if not wanted:
        return Materials()
    if builds is None:
        raise BoxError(f"Posit has no builds of R for {plan.base.name}", hint=_HINT)
    architecture = debian_architecture()
    if architecture not in _ARCHITECTURES:
        raise BoxError(f"Posit has no builds of R for the architecture {architecture}", hint=_HINT)
    work = _Work(plan, builds, architecture, fetcher)
    found = tuple(work.fetch(one) for one in wanted)
    if work.is_new:
        tell(_TRUSTED)
    for one in wanted:
        if one.is_moving:
            tell(f"R {one.version} is another build every day: this machine gets the first fetched")
    return Materials(
        files=tuple(sorted(found, key=lambda file: file.r)),
        debian_packages=_PORTABLE_NEEDS if any(map(is_portable, found)) else (),
    )


_HINT: Final = "choose Debian's R (`source: debian`), or another base: sandbox boxes"


def is_portable(file: Obtained) -> bool:
    """Tell whether a build of R is the portable one."""
    return f"/{PORTABLE}/" in file.url


def url_of(folder: str, version: str, architecture: str) -> str:
    """Return the public address of a build."""
    return f"{addresses.POSIT}/r/{folder}/pkgs/{deb_name(version, architecture)}"


@dataclass
class _Work:
    plan: Plan
    builds: PositBuilds
    architecture: str
    fetcher: FileFetcher
    is_new: bool = False
    """Whether a file came from Posit, and not from the store."""

    def fetch(self, one: MachineR) -> Obtained:
        """The build of that version, its distribution's own where there is one."""
        asked = []
        if self.builds.has_own(one.version):
            own = url_of(self.builds.folder, one.version, self.architecture)
            try:
                return self._file(one, own)
            except AbsentFileError:
                asked.append(own)
        if self.builds.runs_portable:
            if self.plan.r is not None and self.plan.r.blas == "reference":
                raise self._only_portable(one)
            portable = url_of(PORTABLE, one.version, self.architecture)
            try:
                return self._file(one, portable)
            except AbsentFileError:
                asked.append(portable)
        raise BoxError(
            f"Posit has no R {one.version} for {self.plan.base.name} on {self.architecture}",
            details="\n".join(f"not there: {url}" for url in asked),
            hint=f"correct the version in {short(self.plan.box_path)}: versions.json of "
            f"{addresses.POSIT}/r lists those of all distributions",
        )

    def _file(self, one: MachineR, url: str) -> Obtained:
        fetched = self.fetcher.obtain([url], looks_wrong=self._looks_wrong)
        return Obtained(
            kind="r",
            name="R",
            version=one.version,
            file_name=deb_name(one.version, self.architecture),
            url=url,
            sha256=fetched.sha256,
            size_bytes=fetched.size_bytes,
            r=one.version,
        )

    def _looks_wrong(self, path: Path) -> str:
        """Only a file that has just come is looked at."""
        self.is_new = True
        with path.open("rb") as file:
            return "" if file.read(len(_DEB)) == _DEB else "it is no Debian package"

    def _only_portable(self, one: MachineR) -> BoxError:
        return BoxError(
            f"Posit has R {one.version} for {self.plan.base.name} only as its portable build, "
            "which has OpenBLAS inside: `blas: reference` cannot be had with it",
            hint=f"add `blas: openblas` under `r` in {short(self.plan.box_path)}, "
            "or take another version",
        )
