"""What a box states of a machine, in the words of the facts."""

from collections.abc import Mapping

from sandbox.fidelity.diff import Side
from sandbox.fidelity.kind import Reading
from sandbox.fidelity.r_readings import normal_locale, normal_zone
from sandbox.plan import Plan
from sandbox.probe import r_value
from sandbox.probe.known import harmless
from sandbox.probe.shown import hidden, planned_code
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
            "r.option": _options(plan.r.options, key),
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


def _stated(values: Mapping[str, str | Secret], key: HashKey | None) -> dict[str, str]:
    """What may be shown of values; of a secret the box says nothing that could be compared."""
    return {
        name: one if harmless(name, one) else placeholder(one, key)
        for name, one in values.items()
        if not isinstance(one, Secret)
    }


def _options(values: Mapping[str, OptionValue | Secret], key: HashKey | None) -> dict[str, str]:
    """The same of options, as R code. What a function or a call makes, R alone can tell."""
    found = {}
    for name, value in values.items():
        plain = None if isinstance(value, Secret) else r_value.read(planned_code(value))
        if plain is not None and plain.type != "NULL":
            found[name] = r_value.as_r_keeps(name, r_value.write(hidden(name, plain, key)))
    return found
