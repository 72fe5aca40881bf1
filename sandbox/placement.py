"""A placement: a plan, the name of its machine, and the provider that runs the machine.

One plan can be placed many times. Every word of a message or command that names a sandbox comes
from here.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import StringConstraints, TypeAdapter, ValidationError

from sandbox.errors import UsageError
from sandbox.plan import Plan, PlanModel
from sandbox.spec.choices import ProviderName
from sandbox.spec.models import Machine, VagrantOptions
from sandbox.spec.problem import code

SandboxName = Annotated[
    str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", max_length=40)
]
"""Also the machine's hostname: lower case letters, digits and dashes, a letter first."""


class Placement(PlanModel):
    """One machine of a plan: its name, and where it runs."""

    name: SandboxName
    provider: ProviderName | Literal["fake"]
    plan: Plan
    """The plan of the machine, with the size that it gets here."""

    @property
    def options(self) -> VagrantOptions | None:
        """The box's settings for this provider; None where there are none."""
        return self.plan.providers.options(self.provider)

    @property
    def key(self) -> str:
        """The plan's key; another key where the box names a base image for this provider."""
        options = self.options
        if options is None or options.base_image is None:
            return self.plan.key
        return self.plan.key_on(f"{options.base_image} {options.base_image_version}")

    def with_plan(self, plan: Plan) -> "Placement":
        """Return another plan, under the same name and in the same place."""
        return self.model_copy(update={"plan": plan})

    def without_packages(self, names: Iterable[str]) -> "Placement":
        """Return the same placement on a base that does not have these R packages."""
        return self.with_plan(self.plan.without_packages(names))

    def as_made(self, earlier: "Placement") -> "Placement":
        """Return the same placement with what was found out when its machine was made."""
        return self.with_plan(self.plan.as_made(earlier.plan))

    def renamed(self, name: str) -> "Placement":
        """Return the same machine under another name."""
        return self.model_copy(update={"name": name})


def place(
    plan: Plan,
    *,
    provider: ProviderName | Literal["fake"],
    name: str | None = None,
    cpus: int | None = None,
    memory_mb: int | None = None,
    disk_gb: int | None = None,
) -> Placement:
    """Give a plan its place: by default under the box's own name, and as large as the box says.

    Raises:
        UsageError: the name or a size from the command line is not possible.
    """
    chosen = sandbox_name(name, plan.box_name)
    machine = _resized(plan.machine, cpus=cpus, memory_mb=memory_mb, disk_gb=disk_gb)
    return Placement(
        name=chosen, provider=provider, plan=plan.model_copy(update={"machine": machine})
    )


def valid_name(name: str) -> str:
    """Check that a sandbox can have that name, and return it.

    Raises:
        UsageError: it cannot.
    """
    try:
        return TypeAdapter(SandboxName).validate_python(name, strict=True)
    except ValidationError:
        raise UsageError(
            f"{code(name)} cannot be the name of a sandbox",
            details="lower case letters, digits and dashes, a letter first, 40 at most",
            hint="choose another: --name NAME",
        ) from None


def sandbox_name(given: str | None, stem: str) -> str:
    """Choose a sandbox's name: the given one, or else one made of the box file's name.

    Raises:
        UsageError: it cannot.
    """
    # r-4.0.yml makes the sandbox r-4-0: the name is a hostname too, and those have no dots inside
    return valid_name(given if given is not None else re.sub(r"[._ ]+", "-", stem.lower()))


def _resized(machine: Machine, **overrides: int | None) -> Machine:
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Machine.model_validate({**machine.model_dump(), **given})
    except ValidationError as error:
        lines = []
        for entry in error.errors(include_url=False):
            bounds = entry.get("ctx", {})
            bound = f"at least {bounds['ge']}" if "ge" in bounds else f"at most {bounds.get('le')}"
            option = f"--{entry['loc'][0]}".replace("_", "-")
            lines.append(f"{option} {entry['input']}: must be {bound}")
        raise UsageError(
            "a machine cannot have that size", details="\n".join(lines), hint="choose another size"
        ) from None
