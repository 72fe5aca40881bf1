"""The files that `up` would write, shown before anything is made."""

from pathlib import Path

from sandbox.placement import Placement
from sandbox.providers.abilities import Previews
from sandbox.render import RenderedFile, rendered_files
from sandbox.workflows.context import Context
from sandbox.workflows.machine_spec import machine_spec

EXAMPLE_KEY = "ssh-ed25519 the-key-that-is-made-at-up"


def preview(placement: Placement, context: Context) -> tuple[RenderedFile, ...]:
    """Render every file that `up` would write; ports, ids and keys in them are examples.

    Raises:
        BoxError: a certificate of the plan cannot be read.
        HostError: the provider has no engine.
    """
    engine = context.engine(placement.provider)
    if not isinstance(engine, Previews):
        return rendered_files(placement)
    spec = machine_spec(
        placement, image=f"sandbox/{placement.plan.base.name}", key=EXAMPLE_KEY, folder=Path()
    )
    files = engine.preview(spec)
    return (*(RenderedFile(Path(name), text) for name, text in files), *rendered_files(placement))
