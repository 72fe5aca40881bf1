"""A plan: a box with every default and version resolved. Frozen, and saved with the instance.

No module below this one sees a dict or reads the environment.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.app_files import MAX_MB, TooMuchError, UnreadableError, app_files
from sandbox.endpoints import Endpoint
from sandbox.errors import BoxError
from sandbox.fingerprint import digest_of
from sandbox.servers import wanted
from sandbox.servers.server import Server
from sandbox.spec.base_models import Base
from sandbox.spec.mirrored import with_mirrors
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.models import Accepted, Box, Budget, Machine, Providers, System, User
from sandbox.spec.problem import printable, short
from sandbox.spec.r import InstalledR, R
from sandbox.spec.r_installed import MachineR, machine_rs
from sandbox.spec.r_packages import R_ITSELF
from sandbox.spec.services import Services
from sandbox.spec.values import NEWER

if TYPE_CHECKING:
    # A reader of a saved plan needs no YAML
    from sandbox.spec.load import LoadedBox


class PlanModel(BaseModel):
    """Frozen, and round-trips through JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedApp(PlanModel):
    """An app, with its folder found and fingerprinted."""

    name: str
    path: Path
    """The app's folder on the host, absolute."""
    sha256: str
    """Hash over the folder's files, names and contents: a changed app is a changed plan."""
    include: tuple[str, ...] = ()
    """Files that go although they would be left out; see sandbox.app_files."""
    max_mb: int = MAX_MB
    """How many MB the folder may hold."""

    @property
    def release(self) -> str:
        """The name of these files among the app's releases on the machine."""
        return self.sha256[:12]


class Plan(PlanModel):
    """Everything that decides what a machine is."""

    format: Literal[1] = 1
    box_name: str
    """The box file's stem, `shiny`."""
    box_path: Path
    box_files: tuple[Path, ...] = ()
    """Absolute: the box file, and all files that it extends."""
    box_root: Path | None = None
    """The folder the box may read, as named by `--root`; None: the box's place decides."""
    description: str = ""
    base: Base
    providers: Providers = Providers()
    machine: Machine
    system: System
    """With what the mirrors say of the machine's apt."""
    mirrors: Annotated[Mirrors | None, NEWER] = None
    """The box's own part: where this host fetches. It does not decide what the machine is: bytes
    are checked. The files of certificates are absolute."""
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
    """Hash over the certificates' contents, in the same order."""
    apt_packages: tuple[str, ...] = ()
    """Every Debian package the machine needs, sorted: installed in one transaction."""
    production: Path | None = None
    """Absolute: the facts of a production server."""
    accept: tuple[Accepted, ...] = ()
    """Differences from production that may stay."""
    left_out: tuple[str, ...] = ()
    """R packages that the box wants, that its base does not have, and that may be missing."""

    @property
    def key(self) -> str:
        """12 hex digits over all that decides what the machine is.

        Left out: labels, places on this host, and what is only read.
        """
        return self.key_on("")

    def key_on(self, base_image: str) -> str:
        """Return the key of a machine made from a base image that the box itself names."""
        content = self.model_dump(mode="json", exclude=_NOT_THE_MACHINE)
        del content["system"]["ca_certificates"]
        for app in content["apps"]:
            # The fingerprint covers which of its files go
            del app["path"], app["include"], app["max_mb"]
        if base_image:
            content["base_image"] = base_image
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def without_packages(self, names: Iterable[str]) -> "Plan":
        """Return the plan for a base that does not have these R packages."""
        gone = frozenset(names)
        if self.r is None or not gone:
            return self
        debian = {f"r-cran-{name.lower()}" for name in gone}
        return self.model_copy(
            update={
                "r": self.r.without_packages(gone),
                "apt_packages": tuple(one for one in self.apt_packages if one not in debian),
                "left_out": tuple(sorted({*self.left_out, *gone})),
            }
        )

    @property
    def rs(self) -> tuple[MachineR, ...]:
        """Every R of the machine, the default first."""
        return machine_rs(self.r, self.base, self.services)

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers that the machine runs for its users."""
        return wanted(self.services)

    @property
    def app_server(self) -> Server | None:
        """The server that serves the apps; None when there is none."""
        return next((server for server in self.servers if server.serves_apps), None)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the servers answer, in the order shown to users."""
        apps = [app.name for app in self.apps]
        return tuple(
            one for server in self.servers for one in server.endpoints(self.services, apps)
        )

    @property
    def forwarded_ports(self) -> tuple[int, ...]:
        """The machine's ports that people on this host use; forwarded where there is no route."""
        return tuple(dict.fromkeys(endpoint.port for endpoint in self.endpoints))


_NOT_THE_MACHINE: Final = (
    {"box_name", "box_path", "box_files", "box_root", "providers"}
    | {"description"}
    | {"budget", "check_files", "production", "accept", "left_out"}
    | {"ca_certificates"}  # their contents count, see ca_sha256
    | {"mirrors"}  # what of them gets into the machine is in `system`
)


def resolve(loaded: "LoadedBox", user_mirrors: Mirrors | None = None) -> Plan:
    """Freeze a box into a plan. Reads only app folders (for fingerprints) and certificates.

    Args:
        loaded: the box.
        user_mirrors: what the user says for all boxes; the box's own values win.

    Raises:
        BoxError: an app's folder or a certificate cannot be read.
    """
    box = loaded.box
    own = _own_mirrors(loaded)
    mirrors = (own or Mirrors()).over(user_mirrors or Mirrors())
    certificates = _certificates(loaded, "system", box.system.ca_certificates)
    if not certificates:
        certificates = tuple(Path(name) for name in mirrors.ca_certificates)
    return Plan(
        box_name=loaded.name,
        box_path=loaded.path,
        box_files=loaded.files,
        box_root=loaded.named_root,
        description=box.description,
        base=loaded.base,
        providers=box.providers,
        machine=box.machine,
        system=with_mirrors(box.system, mirrors, loaded.base),
        mirrors=own,
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
            _digest([path], path.parent, loaded.place_of("system", "ca_certificates"))
            for path in certificates
        ),
        apt_packages=tuple(sorted({*_apt_packages(box), *loaded.base.packages})),
    )


def _own_mirrors(loaded: "LoadedBox") -> Mirrors | None:
    said = loaded.box.mirrors
    if said is None:
        return None
    files = _certificates(loaded, "mirrors", said.ca_certificates)
    return said.model_copy(update={"ca_certificates": tuple(map(str, files))} if files else {})


def _certificates(loaded: "LoadedBox", part: str, names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(loaded.file_at(part, "ca_certificates", index) for index in range(len(names)))


def _planned_apps(loaded: "LoadedBox") -> Iterator[PlannedApp]:
    for index, app in enumerate(loaded.box.apps):
        folder = loaded.file_at("apps", index, "path")
        place = loaded.place_of("apps", index, "path")
        try:
            found = app_files(folder, include=app.include, max_mb=app.max_mb)
        except (TooMuchError, UnreadableError) as error:
            raise BoxError(
                f"{place}: the app {app.name} cannot be copied to a machine",
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
    """Hash over what the files hold.

    Raises:
        BoxError: a file cannot be read; `place` is where the box names it.
    """
    try:
        return digest_of(files, folder)
    except OSError as error:
        raise BoxError(
            f"{place}: {short(Path(error.filename or folder))} cannot be read: {error.strerror}",
            hint="see who may read it: ls -l",
        ) from error


def _apt_packages(box: Box) -> set[str]:
    """Every Debian package that the box needs, by its name in the releases of our bases."""
    # Nothing is left to what a base image happens to have, or to Recommends: those stay out
    packages = {"ca-certificates", "tzdata", *box.system.packages}
    if box.system.locale not in {"C", "POSIX", "C.UTF-8"}:
        packages.add("locales")
    for server in wanted(box.services):
        packages.update(server.packages)
    r = box.r
    if r is not None:
        # Without a font, cairo draws every glyph of a plot as the same empty box
        packages.add("fonts-dejavu-core")
        for one in r.installed:
            packages |= _of_r(one)
        # Named in both cases: a machine with the other one is changed (back) to this one
        blas = {"openblas": ("libopenblas0-pthread",), "reference": ("libblas3", "liblapack3")}
        packages.update(blas[r.blas])
    return packages


def _of_r(one: InstalledR) -> set[str]:
    """Debian packages of one R."""
    names = one.packages.names if one.packages is not None else ()
    packages = {"pandoc"} if "rmarkdown" in names else set()
    if one.source == "debian":
        packages |= {"r-base-core"}
        packages |= {f"r-cran-{name.lower()}" for name in names if name not in R_ITSELF}
    return packages


@dataclass(frozen=True)
class HostLimits:
    """The most that a host can give one sandbox; `sandbox.host` measures it."""

    cpus: int
    memory_mb: int
    free_disk_gb: float
    """The folder where the machine's disk will lie."""


def exceeds_host(plan: Plan, host: HostLimits) -> list[str]:
    """List the reasons why the machine cannot run on this host; empty when it can."""
    wanted = plan.machine
    problems = []
    if wanted.memory_mb > host.memory_mb:
        problems.append(f"memory_mb: {wanted.memory_mb} MB, and this host has {host.memory_mb} MB")
    if wanted.cpus > host.cpus:
        problems.append(f"cpus: {wanted.cpus}, and this host has {host.cpus}")
    if wanted.disk_gb > host.free_disk_gb:
        problems.append(f"disk_gb: {wanted.disk_gb} GB, and {host.free_disk_gb:.0f} GB are free")
    return problems
