"""`sandbox report`: the known facts of a sandbox, from its folder; the machine is not asked."""

from sandbox.checks.results import last_report
from sandbox.facts.diff import compare
from sandbox.facts.differences import Selection
from sandbox.facts.facts import Facts
from sandbox.facts.files import load_facts
from sandbox.facts.sides import Side
from sandbox.facts.subjects.identity import Identity
from sandbox.report.page import sandbox_page
from sandbox.state import Instance


def page_of(name: str, *, made_at: str) -> str:
    """Write the page about a sandbox.

    Raises:
        UsageError: there is no such sandbox, or facts that it needs cannot be read.
    """
    instance = Instance(name)
    record = instance.require()
    plan = record.plan
    facts = _facts(instance)
    production = load_facts(plan.production) if plan.production is not None else None
    diff = None
    if production is not None and facts is not None:
        diff = compare(
            Side(name=production[Identity].hostname or "production", facts=production),
            Side(name=name, facts=facts),
            Selection(accept={one.fact: one.why for one in plan.accept}),
        )
    return sandbox_page(
        record, facts, last_report(instance.folder), diff, production, made_at=made_at
    )


def _facts(instance: Instance) -> Facts | None:
    path = instance.folder / "facts.json"
    return load_facts(path) if path.is_file() else None
