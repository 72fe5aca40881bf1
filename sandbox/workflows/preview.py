"""What a plan would write, shown before anything is made."""

from pathlib import Path

from sandbox.plan import Plan
from sandbox.providers.abilities import Previews
from sandbox.render import RenderedFile, rendered_files
from sandbox.workflows.context import Context
from sandbox.workflows.machine import machine_spec

EXAMPLE_KEY = "ssh-ed25519 the-key-that-is-made-at-up"


def preview(plan: Plan, context: Context) -> tuple[RenderedFile, ...]:
    """Every file that `up` would write; ports, ids and keys in them are examples.

    Raises:
        BoxError: a certificate of the plan cannot be read.
        HostError: the provider has no engine.
    """
    engine = context.engine(plan.provider)
    if not isinstance(engine, Previews):
        return rendered_files(plan)
    spec = machine_spec(plan, image=f"sandbox/{plan.base.name}", key=EXAMPLE_KEY, folder=Path())
    files = engine.preview(spec)
    return (*(RenderedFile(Path(name), text) for name, text in files), *rendered_files(plan))
