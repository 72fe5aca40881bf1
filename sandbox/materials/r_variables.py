"""The Rs of a machine, in the form that the playbooks want."""

from pydantic import BaseModel, ConfigDict

from sandbox.architecture import debian_architecture
from sandbox.obtained import Materials
from sandbox.plan import Plan
from sandbox.spec.posit_r import deb_name
from sandbox.spec.r_installed import MachineR


class RVars(BaseModel):
    """One R, in the form that the roles `r_versions` and `r` want."""

    model_config = ConfigDict(frozen=True)

    version: str
    """The full version; devel or next for Posit's daily builds."""
    expected: str
    """What its own version must be, or begin with; empty takes any."""
    source: str
    """debian or posit."""
    home: str
    """Its R_HOME."""
    program: str
    """Its R, by the full path."""
    deb: str
    """The name of its package among the machine's files; empty for Debian's own."""
    sha256: str
    """Of that package; empty where it is not known."""
    is_default: bool


def r_variables(plan: Plan, materials: Materials | None = None) -> tuple[RVars, ...]:
    """List the machine's Rs, the default first; `materials` are what was fetched for it."""
    files = materials.files if materials is not None else ()
    builds = {file.version: file for file in files if file.kind == "r"}
    found = []
    for one in plan.rs:
        build = builds.get(one.version) if one.source == "posit" else None
        deb = deb_name(one.version, debian_architecture()) if one.source == "posit" else ""
        found.append(
            RVars(
                version=one.version,
                expected=_expected(plan, one),
                source=one.source,
                home=one.home,
                program=one.program,
                deb=build.file_name if build is not None else deb,
                sha256=build.sha256 if build is not None else "",
                is_default=one.is_default,
            )
        )
    return tuple(found)


def _expected(plan: Plan, one: MachineR) -> str:
    """What the box says of the version: of Debian's R perhaps only the beginning, or nothing."""
    if one.source == "posit":
        return "" if one.is_moving else one.version
    asked = plan.r.installed if plan.r is not None else ()
    return next((other.version or "" for other in asked if other.source == "debian"), "")
