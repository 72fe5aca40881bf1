"""What a box states of a machine, in the words of the facts."""

from collections.abc import Mapping

from sandbox.fidelity.diff import Side
from sandbox.fidelity.kind import Reading
from sandbox.fidelity.r_readings import normal_locale, normal_zone
from sandbox.plan import Plan
from sandbox.probe.known import harmless
from sandbox.probe.shown import as_r_says
from sandbox.probe.untaken import HashKey, placeholder
from sandbox.spec.models import OptionValue, Secret

_FROM_LANG = ("LC_COLLATE", "LC_CTYPE", "LC_TIME")


def side_of_plan(plan: Plan, key: HashKey | None = None) -> Side:
    """A box as one side of a comparison: only what it says is compared.

    Args:
        plan: of the box.
        key: by which the other side's facts have hashes of what was not taken; without it such a
            value of the box can be compared with nothing.
    """
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
        environment = _stated(system.environment, key)
        threads = {k: v for k, v in environment.items() if k.endswith("_THREADS")}
        others = {k: v for k, v in environment.items() if k not in threads}
        stated |= {
            "r.version": {"": plan.base.r_version},
            "r.timezone": {"": zone},
            "r.locale": dict.fromkeys(_FROM_LANG, locale),
            "r.blas": {"": plan.r.blas},
            "r.option": _stated(plan.r.options, key),
            "r.repo": {name: url.rstrip("/") for name, url in _stated(plan.r.repos, key).items()},
            "r.installed": dict.fromkeys(plan.r.packages.names, "installed"),
            "r.threads": dict(threads),
            "r.environment": dict(others),
            **_limits(plan),
        }
    return Side(name=plan.box_name, stated=stated)


def _limits(plan: Plan) -> Mapping[str, Reading]:
    nofile = plan.system.limits.nofile
    return {"r.limit": {"nofile": float(nofile)}} if nofile is not None else {}


def _stated(values: Mapping[str, OptionValue | Secret], key: HashKey | None) -> dict[str, str]:
    """What may be shown of values; of a secret the box says nothing that could be compared."""
    texts = {
        name: f"{one:g}" if isinstance(one, float) else as_r_says(one)
        for name, one in values.items()
        if not isinstance(one, Secret)
    }
    return {
        name: text if harmless(name, text) else placeholder(text, key)
        for name, text in texts.items()
    }
