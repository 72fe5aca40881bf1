"""A plan: a box with every default and version resolved. Frozen, saved with the instance.

Nothing below this module sees a dict or reads the environment.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.app_files import MAX_MB, TooMuchError, UnreadableError, app_files
from sandbox.endpoints import Endpoint
from sandbox.errors import BoxError
from sandbox.fingerprint import digest_of
from sandbox.servers import wanted
from sandbox.servers.server import Server
from sandbox.spec.base_models import Base
from sandbox.spec.models import (
    Accepted,
    Box,
    Budget,
    Machine,
    Providers,
    R,
    Services,
    System,
    User,
)
from sandbox.spec.problem import printable, short
from sandbox.spec.r_packages import R_ITSELF

if TYPE_CHECKING:
    # Who only reads a saved plan needs no YAML
    from sandbox.spec.load import LoadedBox


class PlanModel(BaseModel):
    """Frozen, and round-trips through JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedApp(PlanModel):
    """An app, its folder found and fingerprinted."""

    name: str
    path: Path
    """Absolute, on the host."""
    sha256: str
    """Of the folder's files, names and contents: a changed app is a changed plan."""
    include: tuple[str, ...] = ()
    """What goes although it would be left out; see sandbox.app_files."""
    max_mb: int = MAX_MB
    """How much the folder may hold."""

    @property
    def release(self) -> str:
        """The name of its files as they are now, among its releases on the machine."""
        return self.sha256[:12]


class Plan(PlanModel):
    """Everything that decides what a machine is."""

    format: Literal[1] = 1
    box_name: str
    """The box file's stem, `shiny`."""
    box_path: Path
    box_files: tuple[Path, ...] = ()
    """Absolute: the box file, and all that it extends."""
    box_root: Path | None = None
    """What the box may read, where the user named it (`--root`); else its place decides."""
    description: str = ""
    base: Base
    providers: Providers = Providers()
    machine: Machine
    system: System
    r: R | None
    services: Services
    apps: tuple[PlannedApp, ...] = ()
    users: tuple[User, ...] = ()
    budget: Budget = Budget()
    check_files: tuple[Path, ...] = ()
    """Absolute."""
    ca_certificates: tuple[Path, ...] = ()
    """Absolute."""
    ca_sha256: tuple[str, ...] = ()
    """Of the certificates' contents, in the same order."""
    apt_packages: tuple[str, ...] = ()
    """Every Debian package the machine needs, sorted: installed in one transaction."""
    production: Path | None = None
    """Absolute: the facts of a production server."""
    accept: tuple[Accepted, ...] = ()
    """Differences from production that may stay."""
    left_out: tuple[str, ...] = ()
    """R packages that the box wants and its base does not have, and that may be missing."""

    @property
    def key(self) -> str:
        """12 hex digits over all that decides what the machine is.

        Left out: its labels, where things lie on this host, and what is only looked at.
        """
        return self.key_on("")

    def key_on(self, base_image: str) -> str:
        """The same, of a machine that is made from a base image which the box itself names."""
        content = self.model_dump(mode="json", exclude=_NOT_THE_MACHINE)
        del content["system"]["ca_certificates"]
        for app in content["apps"]:
            # What of its files goes is in the fingerprint
            del app["path"], app["include"], app["max_mb"]
        if base_image:
            content["base_image"] = base_image
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def without_packages(self, names: Iterable[str]) -> "Plan":
        """The plan for a base that does not have these R packages."""
        gone = frozenset(names)
        if self.r is None or not gone:
            return self
        kept = tuple(name for name in self.r.packages.names if name not in gone)
        packages = self.r.packages.model_copy(update={"names": kept})
        debian = {f"r-cran-{name.lower()}" for name in gone}
        return self.model_copy(
            update={
                "r": self.r.model_copy(update={"packages": packages}),
                "apt_packages": tuple(one for one in self.apt_packages if one not in debian),
                "left_out": tuple(sorted({*self.left_out, *gone})),
            }
        )

    @property
    def servers(self) -> tuple[Server, ...]:
        """What the machine runs for its users."""
        return wanted(self.services)

    @property
    def app_server(self) -> Server | None:
        """The server that serves the apps; None without one."""
        return next((server for server in self.servers if server.serves_apps), None)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where its servers answer, in the order that users are shown them."""
        apps = [app.name for app in self.apps]
        return tuple(
            one for server in self.servers for one in server.endpoints(self.services, apps)
        )

    @property
    def forwarded_ports(self) -> tuple[int, ...]:
        """The machine's ports that this host's people use; forwarded where there is no route."""
        return tuple(dict.fromkeys(endpoint.port for endpoint in self.endpoints))


_NOT_THE_MACHINE: Final = (
    {"box_name", "box_path", "box_files", "box_root", "providers"}
    | {"description"}
    | {"budget", "check_files", "production", "accept", "left_out"}
    | {"ca_certificates"}  # their contents count, see ca_sha256
)


def resolve(loaded: "LoadedBox") -> Plan:
    """Freeze a box into a plan. Reads the app folders (for their fingerprints), nothing else.

    Raises:
        BoxError: an app's folder or a certificate cannot be read.
    """
    box = loaded.box
    certificates = tuple(
        loaded.file_at("system", "ca_certificates", index)
        for index in range(len(box.system.ca_certificates))
    )
    return Plan(
        box_name=loaded.name,
        box_path=loaded.path,
        box_files=loaded.files,
        box_root=loaded.named_root,
        description=box.description,
        base=loaded.base,
        providers=box.providers,
        machine=box.machine,
        system=box.system,
        r=box.r,
        services=box.services,
        apps=tuple(_planned_apps(loaded)),
        users=box.users,
        budget=box.checks.budget,
        check_files=tuple(
            loaded.file_at("checks", "files", index) for index in range(len(box.checks.files))
        ),
        production=loaded.file_at("production") if box.production is not None else None,
        accept=box.accept,
        ca_certificates=certificates,
        ca_sha256=tuple(
            _digest([path], path.parent, loaded.place_of("system", "ca_certificates", index))
            for index, path in enumerate(certificates)
        ),
        apt_packages=tuple(sorted({*_apt_packages(box), *loaded.base.packages})),
    )


def _planned_apps(loaded: "LoadedBox") -> Iterator[PlannedApp]:
    for index, app in enumerate(loaded.box.apps):
        folder = loaded.file_at("apps", index, "path")
        place = loaded.place_of("apps", index, "path")
        try:
            found = app_files(folder, include=app.include, max_mb=app.max_mb)
        except (TooMuchError, UnreadableError) as error:
            raise BoxError(
                f"{place}: the app {app.name} cannot be taken",
                details=printable(str(error)),
                hint="sandbox validate says more",
            ) from error
        yield PlannedApp(
            name=app.name,
            path=folder,
            sha256=_digest(found.taken, folder, place),
            include=app.include,
            max_mb=app.max_mb,
        )


def _digest(files: Iterable[Path], folder: Path, place: str) -> str:
    """What the files hold, as one word.

    Raises:
        BoxError: one cannot be read; `place` is where the box names it.
    """
    try:
        return digest_of(files, folder)
    except OSError as error:
        raise BoxError(
            f"{place}: {short(Path(error.filename or folder))} cannot be read: {error.strerror}",
            hint="see who may read it: ls -l",
        ) from error


def _apt_packages(box: Box) -> set[str]:
    """Every Debian package that the box needs, in the releases we have as bases."""
    # Nothing is left to what a base image happens to have, or to Recommends: those stay out
    packages = {"ca-certificates", "tzdata", *box.system.packages}
    if box.system.locale not in {"C", "POSIX", "C.UTF-8"}:
        packages.add("locales")
    for server in wanted(box.services):
        packages.update(server.packages)
    r = box.r
    if r is not None:
        # Without a font, cairo draws every glyph of a plot as the same empty box
        packages |= {"r-base-core", "fonts-dejavu-core"}
        packages |= {f"r-cran-{name.lower()}" for name in r.packages.names if name not in R_ITSELF}
        # Named in both cases: a machine that had the other one gets what it is to go (back) to
        blas = {"openblas": ("libopenblas0-pthread",), "reference": ("libblas3", "liblapack3")}
        packages.update(blas[r.blas])
        if "rmarkdown" in r.packages.names:
            packages.add("pandoc")
    return packages


@dataclass(frozen=True)
class HostLimits:
    """The most that one sandbox can be given on a host; `sandbox.host` measures it."""

    cpus: int
    memory_mb: int
    free_disk_gb: float
    """Where the machine's disk will lie."""


def exceeds_host(plan: Plan, host: HostLimits) -> list[str]:
    """Why the machine cannot run on this host; empty when it can."""
    wanted = plan.machine
    problems = []
    if wanted.memory_mb > host.memory_mb:
        problems.append(f"memory_mb: {wanted.memory_mb} MB, and this host has {host.memory_mb} MB")
    if wanted.cpus > host.cpus:
        problems.append(f"cpus: {wanted.cpus}, and this host has {host.cpus}")
    if wanted.disk_gb > host.free_disk_gb:
        problems.append(f"disk_gb: {wanted.disk_gb} GB, and {host.free_disk_gb:.0f} GB are free")
    return problems
