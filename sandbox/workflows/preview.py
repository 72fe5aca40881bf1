"""What a plan would write, shown before anything is made."""

from pathlib import Path

from sandbox.engines.base import MachineSpec, Previews
from sandbox.plan import Plan
from sandbox.render import RenderedFile, rendered_files
from sandbox.workflows.context import Context

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
    spec = MachineSpec(
        name=plan.name,
        image=f"sandbox/{plan.base.name}",
        cpus=plan.machine.cpus,
        memory_mb=plan.machine.memory_mb,
        disk_gb=plan.machine.disk_gb,
        authorized_key=EXAMPLE_KEY,
        instance_dir=Path(),
        labels=(("box", plan.box_name), ("plan", plan.key)),
        forwarded_ports=plan.forwarded_ports,
        options=plan.provider_options,
    )
    files = engine.preview(spec)
    return (*(RenderedFile(Path(name), text) for name, text in files), *rendered_files(plan))
