"""A plan: a box with every default, override and version resolved. Frozen, and saved with the instance.

Nothing below this module sees a dict or reads the environment.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from sandbox.spec.models import Base, Budget, Machine, Provider, R, Services, System, User

SandboxName = Annotated[
    str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", max_length=40)
]
"""Also the machine's hostname: lower case letters, digits and dashes, a letter first."""


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


class Plan(PlanModel):
    """Everything that decides what a machine is."""

    format: Literal[1] = 1
    name: SandboxName
    box_name: str
    """The box file's stem, `shiny`."""
    box_path: Path
    description: str = ""
    provider: Provider | Literal["fake"]
    base: Base
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
    apt_packages: tuple[str, ...] = ()
    """Every Debian package the machine needs, sorted: installed in one transaction."""

    @property
    def key(self) -> str:
        """12 hex digits over all that decides what the machine is, its name and place left out."""
        content = self.model_dump(mode="json", exclude={"name", "box_path", "provider", "description"})
        for app in content["apps"]:
            del app["path"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def has_shiny(self) -> bool:
        """Whether the machine runs Shiny Server."""
        return self.services.shiny_server is not None
