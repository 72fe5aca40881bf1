"""The base image of a plan, in the form that its provider boots."""

from typing import TYPE_CHECKING

from sandbox.images.sources import ArchivesAnswer
from sandbox.placement import Placement
from sandbox.providers.base_images import PreparedBase, WantedBase
from sandbox.workflows.bundled import manifest_of
from sandbox.workflows.context import Context

if TYPE_CHECKING:
    from sandbox.images.build import Ahead


def prepare_base(
    placement: Placement,
    context: Context,
    archives: ArchivesAnswer | None = None,
    ahead: "Ahead | None" = None,
) -> PreparedBase:
    """Find, build or fetch the base image; for a box of a bundle, the one that it brought.

    Args:
        placement: the machine that needs the image.
        context: the listener, the providers and the place.
        archives: the answer of this host's apt, if it was asked before.
        ahead: who wants to know early what the packages of the plan need.

    Raises:
        SandboxError: as in `Provider.prepare_base`.
    """
    plan = placement.plan
    manifest = manifest_of(plan.box_path)
    wanted = WantedBase(
        base=plan.base,
        source=context.base_source,
        mirror=plan.system.mirror,
        options=placement.options,
        archives=archives,
        ahead=ahead,
        routes=lambda: context.routes(plan),
        fetcher=lambda: context.fetcher(plan, sandbox=placement.name),
        identity=manifest.base.identity if manifest is not None else "",
    )
    provider = context.providers[placement.provider]
    return provider.prepare_base(wanted, context.place, context.listener)
