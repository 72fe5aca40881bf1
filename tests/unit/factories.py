"""Plans and placements for tests: small, valid, and the same every time."""

from pathlib import Path
from typing import Any

from sandbox.placement import Placement
from sandbox.plan import Plan, PlannedApp
from sandbox.spec.base_models import Base, BaseImages
from sandbox.spec.models import Machine, System
from sandbox.spec.r import R, RPackages
from sandbox.spec.services import Services
from sandbox.spec.shiny_server import ShinyServer
from sandbox.spec.values import Secret

BASE = Base(
    version=1,
    name="debian-12",
    description="Debian 12",
    distribution="debian",
    suite="bookworm",
    r_version="4.2.2",
    offers=("shiny_server",),
    images=BaseImages(incus_public="images:debian/12"),
)


def shiny_plan(*, box_path: Path = Path("/boxes/shiny.yml")) -> Plan:
    """R, Shiny Server and one app."""
    return Plan(
        box_name="shiny",
        box_path=box_path,
        base=BASE,
        machine=Machine(cpus=1, memory_mb=512, disk_gb=4),
        system=System(timezone="Europe/Vienna", locale="en_US.UTF-8"),
        r=R(version="4.2", packages=RPackages(names=("shiny",))),
        services=Services(shiny_server=ShinyServer()),
        apps=(PlannedApp(name="faithful", path=Path("/boxes/apps/faithful"), sha256="0" * 64),),
        apt_packages=("r-base-core", "r-cran-shiny", "shiny-server"),
    )


def plain_plan() -> Plan:
    """A machine without R."""
    return Plan(
        box_name="plain",
        box_path=Path("/boxes/plain.yml"),
        base=BASE,
        machine=Machine(cpus=1, memory_mb=512, disk_gb=4),
        system=System(),
        r=None,
        services=Services(),
    )


def secret_plan() -> Plan:
    """The same with a secret wherever one can be."""
    plan = shiny_plan()
    sales = Secret(secret="SALES_DB")
    system = plan.system.model_copy(
        update={
            "environment": {"SALES_DB": sales, "OMP_NUM_THREADS": "1"},
            "proxy": Secret(secret="PROXY"),
        }
    )
    r = R(
        version="4.2",
        options={"sales.password": sales, "digits": 7},
        repos={"CRAN": Secret(secret="CRAN_URL")},
        packages=RPackages(names=("shiny",)),
    )
    return plan.model_copy(update={"system": system, "r": r})


def placed(plan: Plan, name: str | None = None, **changes: Any) -> Placement:
    """The plan, with `changes`, where the fake engine runs it; by default under its box's name."""
    return Placement(
        name=name or plan.box_name, provider="fake", plan=plan.model_copy(update=changes)
    )


def shiny_sandbox(name: str = "shiny", **changes: Any) -> Placement:
    """`shiny_plan`, in its place."""
    return placed(shiny_plan(), name, **changes)


def plain_sandbox(name: str = "plain", **changes: Any) -> Placement:
    """`plain_plan`, in its place."""
    return placed(plain_plan(), name, **changes)


def secret_sandbox(name: str = "shiny", **changes: Any) -> Placement:
    """`secret_plan`, in its place."""
    return placed(secret_plan(), name, **changes)
