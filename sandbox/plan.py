"""A plan: a box with every default and version resolved. Frozen, and saved with the instance.

No module below this one sees a dict or reads the environment.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.app_files import MAX_MB, TooMuchError, UnreadableError, app_files
from sandbox.endpoints import Endpoint
from sandbox.errors import BoxError
from sandbox.fingerprint import digest_of
from sandbox.servers import wanted
from sandbox.servers.server import Server
from sandbox.spec.base_models import Base
from sandbox.spec.models import Accepted, App, Box, Budget, Machine, Providers, System, User
from sandbox.spec.plumber import PlumberApi
from sandbox.spec.problem import printable, short
from sandbox.spec.r import R
from sandbox.spec.r_packages import R_ITSELF
from sandbox.spec.services import Services

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


@dataclass(frozen=True)
class PackageMirror:
    """The mirror of a box, as the machine's apt uses it."""

    uri: str
    security: str | None
    components: str


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
    r: R | None
    services: Services
    apps: tuple[PlannedApp, ...] = ()
    apis: Annotated[tuple[PlannedApp, ...], Field(exclude_if=lambda value: not value)] = ()
    """The folders of the box's APIs: `services.plumber` says how they run."""
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
        for app in (*content["apps"], *content.get("apis", ())):
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
    def mirror(self) -> PackageMirror | None:
        """Where the machine gets its packages; None for the base image's own sources."""
        named = self.system.mirror
        uri = named.of(self.base.distribution) if named is not None else None
        if named is None or uri is None:
            return None
        if self.base.distribution == "ubuntu":
            # A mirror of Ubuntu's has the suite of security, too
            return PackageMirror(uri, named.security or uri, "main universe")
        return PackageMirror(uri, named.security, "main")

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
        return tuple(dict.fromkeys(one.port for one in self.endpoints if not one.is_local))


_NOT_THE_MACHINE: Final = (
    {"box_name", "box_path", "box_files", "box_root", "providers"}
    | {"description"}
    | {"budget", "check_files", "production", "accept", "left_out"}
    | {"ca_certificates"}  # their contents count, see ca_sha256
)


def resolve(loaded: "LoadedBox") -> Plan:
    """Freeze a box into a plan. Reads only app folders (for fingerprints) and certificates.

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
        apps=tuple(
            _planned_app(loaded, app, ("apps", index)) for index, app in enumerate(box.apps)
        ),
        apis=tuple(_planned_apis(loaded)),
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


def _planned_apis(loaded: "LoadedBox") -> Iterator[PlannedApp]:
    plumber = loaded.box.services.plumber
    for loc, api in plumber.placed if plumber is not None else ():
        yield _planned_app(loaded, api, loc)


def _planned_app(
    loaded: "LoadedBox", app: App | PlumberApi, loc: tuple[str | int, ...]
) -> PlannedApp:
    folder = loaded.file_at(*loc, "path")
    place = loaded.place_of(*loc, "path")
    try:
        found = app_files(folder, include=app.include, max_mb=app.max_mb)
    except (TooMuchError, UnreadableError) as error:
        raise BoxError(
            f"{place}: the app {app.name} cannot be copied to a machine",
            details=printable(str(error)),
            hint="sandbox validate says more",
        ) from error
    return PlannedApp(
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
        packages |= {"r-base-core", "fonts-dejavu-core"}
        packages |= {f"r-cran-{name.lower()}" for name in r.packages.names if name not in R_ITSELF}
        # Named in both cases: a machine with the other one is changed (back) to this one
        blas = {"openblas": ("libopenblas0-pthread",), "reference": ("libblas3", "liblapack3")}
        packages.update(blas[r.blas])
        if "rmarkdown" in r.packages.names:
            packages.add("pandoc")
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
