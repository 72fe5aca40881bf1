"""The base image of a plan, in the form that its provider boots."""

from dataclasses import dataclass

from sandbox.images.base_image import available_packages, ensure_base
from sandbox.images.sources import ArchivesAnswer
from sandbox.images.vagrant_box import ensure_public_box, ensure_vagrant_box, named_box
from sandbox.placement import Placement
from sandbox.workflows.context import Context


@dataclass(frozen=True)
class PreparedBase:
    """A base image that the provider has."""

    image: str
    """What `MachineSpec.image` takes."""
    identity: str
    """Which build of it: a base image that was made anew is another one."""
    packages: frozenset[str] | None
    """The names of all packages that its archive has; None when nobody listed them."""


def prepare_base(
    placement: Placement, context: Context, archives: ArchivesAnswer | None = None
) -> PreparedBase:
    """Find, build or fetch it.

    Args:
        placement: whose.
        context: whom to tell, and where.
        archives: what this host's apt said, where it was asked ahead.

    Raises:
        SandboxError: as `ensure_base` and `ensure_vagrant_box`.
    """
    plan = placement.plan
    listener = context.listener
    if placement.provider not in ("virtualbox", "libvirt"):
        made = ensure_base(
            plan.base,
            client=context.client(),
            source=context.base_source,
            mirror=plan.system.mirror,
            listener=listener,
            archives=archives,
        )
        return PreparedBase(made.alias, made.fingerprint, available_packages(made))
    provider = placement.provider
    options = placement.options
    if options is not None and options.base_image and options.base_image_version:
        public = named_box(options.base_image, options.base_image_version)
        sha256 = options.base_image_sha256
        found = ensure_public_box(public, sha256, provider=provider, listener=listener)
    else:
        found = ensure_vagrant_box(
            plan.base,
            provider=provider,
            source=context.base_source,
            mirror=plan.system.mirror,
            listener=listener,
            archives=archives,
        )
    return PreparedBase(found.image, found.image, available_packages(found))
