"""Plans for tests: small, valid, and the same every time."""

from pathlib import Path

from sandbox.plan import Plan, PlannedApp
from sandbox.spec.base_models import Base, BaseImages
from sandbox.spec.models import Machine, R, RPackages, Secret, Services, ShinyServer, System

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


def shiny_plan(name: str = "shiny", *, box_path: Path = Path("/boxes/shiny.yml")) -> Plan:
    """R, Shiny Server and one app."""
    return Plan(
        name=name,
        box_name="shiny",
        box_path=box_path,
        provider="fake",
        base=BASE,
        machine=Machine(cpus=1, memory_mb=512, disk_gb=4),
        system=System(timezone="Europe/Vienna", locale="en_US.UTF-8"),
        r=R(version="4.2", packages=RPackages(names=("shiny",))),
        services=Services(shiny_server=ShinyServer()),
        apps=(PlannedApp(name="faithful", path=Path("/boxes/apps/faithful"), sha256="0" * 64),),
        apt_packages=("r-base-core", "r-cran-shiny", "shiny-server"),
    )


def plain_plan(name: str = "plain") -> Plan:
    """A machine without R."""
    return Plan(
        name=name,
        box_name="plain",
        box_path=Path("/boxes/plain.yml"),
        provider="fake",
        base=BASE,
        machine=Machine(cpus=1, memory_mb=512, disk_gb=4),
        system=System(),
        r=None,
        services=Services(),
    )


def secret_plan(name: str = "shiny") -> Plan:
    """The same with a secret wherever one can be."""
    plan = shiny_plan(name)
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
