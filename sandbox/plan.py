"""A plan: a box with every default and version resolved. Frozen, and saved with the instance.

No module below this one sees a dict or reads the environment.
"""

import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.app_files import MAX_MB
from sandbox.box_lock.model import LockedSystem
from sandbox.endpoints import Endpoint
from sandbox.obtained import Materials
from sandbox.servers import wanted
from sandbox.servers.server import Server
from sandbox.spec.base_models import Base
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.models import Accepted, Budget, Machine, Providers, System, User
from sandbox.spec.r import R
from sandbox.spec.r_installed import MachineR, machine_rs
from sandbox.spec.services import Services
from sandbox.spec.values import NEWER


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


class RInput(PlanModel):
    """A file or folder of this host that the packages of R come from."""

    r: str
    """The version of that R."""
    path: Path
    """Absolute."""
    place: str
    """Where the box says so, `shiny.yml:12`."""
    sha256: str
    """Hash over the file or the folder."""


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
    """With what the mirrors say of the machine's apt."""
    mirrors: Annotated[Mirrors | None, NEWER] = None
    """The box's own part: where this host fetches. It does not decide what the machine is: bytes
    are checked. The files of certificates are absolute."""
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
    r_inputs: Annotated[tuple[RInput, ...], Field(exclude_if=lambda value: not value)] = ()
    """Lock files and folders of R packages; what they hold is in the fetched files' checksums."""
    accept: tuple[Accepted, ...] = ()
    """Differences from production that may stay."""
    left_out: tuple[str, ...] = ()
    """R packages that the box wants, that its base does not have, and that may be missing."""
    materials: Annotated[Materials, Field(exclude_if=lambda one: one == Materials())] = Materials()
    """The files that this host fetches for the machine; none before they were looked for."""
    locked: Annotated[LockedSystem | None, NEWER] = None
    """The packages of the distribution by version and checksum; None: those of today."""

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
        files = content.get("materials", {}).get("files", ())
        for file in (*files, *(content.get("locked") or {}).get("debs", ())):
            # The same bytes from another place make the same machine
            del file["url"]
        if base_image:
            content["base_image"] = base_image
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def needs_files(self) -> bool:
        """Whether this host has to fetch something for the machine."""
        fetched = (one.source == "posit" or one.packages.source != "debian" for one in self.rs)
        return any(fetched) or any(server.is_fetched for server in self.servers)

    @property
    def asks_for_exact_files(self) -> bool:
        """Whether the same request means the same files at any time."""
        packages = [one.packages for one in self.rs]
        dated = (one.source in {"debian", "renv"} or one.date is not None for one in packages)
        return all(dated) and not any(one.is_moving for one in self.rs)

    @property
    def request_key(self) -> str:
        """12 hex digits over what decides which files are fetched for the machine."""
        # Another option or port must not bring newer packages from a repository without a date
        packages = [one.packages.model_dump(mode="json") for one in self.rs]
        # The distribution's own are no files of ours
        fetched = [one if one["source"] != "debian" else None for one in packages]
        rs = [[one.version, one.source] for one in self.rs]
        rstudio = self.services.rstudio_server
        version = rstudio.version if rstudio is not None else None
        blas = self.r.blas if self.r is not None else None
        asked = [self.base.name, self.base.suite, rs, fetched, blas, version]
        # Builds of R and binary packages are made for one kind of processor
        own = [one.sha256 for one in self.r_inputs]
        text = json.dumps([asked, own, platform.machine()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_materials(self, materials: Materials) -> "Plan":
        """Return the plan with the files that were found for it, and the packages they need."""
        packages = {*self.apt_packages, *materials.debian_packages}
        return self.model_copy(
            update={"materials": materials, "apt_packages": tuple(sorted(packages))}
        )

    def as_made(self, earlier: "Plan") -> "Plan":
        """Return the plan with what was found out when the machine was made from `earlier`.

        That is: packages that its base lacks, and the files for it, while it asks for the same.
        """
        plan = self
        if not plan.materials.files and plan.request_key == earlier.request_key:
            plan = plan.with_materials(earlier.materials)
        return plan.without_packages(earlier.left_out)

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
    def users_with_password(self) -> tuple[str, ...]:
        """Who gets a password, to sign in to RStudio Server."""
        rstudio = self.services.rstudio_server
        if rstudio is None or not rstudio.passwords:
            return ()
        everybody = tuple(user.name for user in self.users)
        return everybody if rstudio.users is None else rstudio.users

    @property
    def forwarded_ports(self) -> tuple[int, ...]:
        """The machine's ports that people on this host use; forwarded where there is no route."""
        return tuple(dict.fromkeys(one.port for one in self.endpoints if not one.is_local))


_NOT_THE_MACHINE: Final = (
    {"box_name", "box_path", "box_files", "box_root", "providers"}
    | {"description"}
    | {"budget", "check_files", "production", "accept", "left_out"}
    | {"r_inputs"}
    | {"ca_certificates"}  # their contents count, see ca_sha256
    | {"mirrors"}  # what of them gets into the machine is in `system`
)


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
