"""What a box states of a machine, in the words of the facts."""

from collections.abc import Mapping

from sandbox.fidelity.compare import Value
from sandbox.fidelity.diff import Side
from sandbox.fidelity.kind import Reading
from sandbox.fidelity.r_readings import normal_locale, normal_zone
from sandbox.plan import Plan

_FROM_LANG = ("LC_COLLATE", "LC_CTYPE", "LC_TIME")


def side_of_plan(plan: Plan) -> Side:
    """A box as one side of a comparison: only what it says is compared."""
    system = plan.system
    zone, locale = normal_zone(system.timezone), normal_locale(system.locale)
    stated: dict[str, Reading] = {
        "system.release": {"": plan.base.name.replace("-", " ", 1)},
        "system.timezone": {"": zone},
        "system.locale": {"LANG": locale},
        "machine.cpus": {"": float(plan.machine.cpus)},
        "machine.memory": {"": float(plan.machine.memory_mb)},
        "machine.disk": {"": float(plan.machine.disk_gb * 1024)},
    }
    if plan.r is not None:
        threads = {k: v for k, v in system.environment.items() if k.endswith("_THREADS")}
        others = {k: v for k, v in system.environment.items() if k not in threads}
        stated |= {
            "r.version": {"": plan.base.r_version},
            "r.timezone": {"": zone},
            "r.locale": dict.fromkeys(_FROM_LANG, locale),
            "r.blas": {"": plan.r.blas},
            "r.option": {name: _r_text(value) for name, value in plan.r.options.items()},
            "r.repo": {name: str(url).rstrip("/") for name, url in plan.r.repos.items()},
            "r.installed": dict.fromkeys(plan.r.packages.names, "installed"),
            "r.threads": dict(threads),
            "r.environment": dict(others),
            **_limits(plan),
        }
    return Side(name=plan.box_name, stated=stated)


def _limits(plan: Plan) -> Mapping[str, Reading]:
    nofile = plan.system.limits.nofile
    return {"r.limit": {"nofile": float(nofile)}} if nofile is not None else {}


def _r_text(value: bool | float | str) -> Value:  # noqa: FBT001  (an option's value)
    """As R's as.character() shows it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return f"{value:g}" if isinstance(value, float) else str(value)
