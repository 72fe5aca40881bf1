"""What of `mirrors:` gets into the machine: apt's sources, its proxy, and the authorities.

The keys of `system:` that say the same stay, and win.
"""

from sandbox.spec.base_models import Base
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.models import Mirror, System


def with_mirrors(system: System, mirrors: Mirrors, base: Base) -> System:
    """Return the machine's settings, with what the mirrors say where they say nothing.

    The certificates are files: `sandbox.resolving.resolve` finds them.
    """
    update: dict[str, object] = {}
    if system.mirror is None and (mirror := _apt_mirror(mirrors, base)) is not None:
        update["mirror"] = mirror
    if system.proxy is None and mirrors.proxy is not None:
        update["proxy"] = mirrors.proxy
        if system.no_proxy is None and mirrors.no_proxy:
            update["no_proxy"] = mirrors.no_proxy
    return system.model_copy(update=update) if update else system


def _apt_mirror(mirrors: Mirrors, base: Base) -> Mirror | None:
    apt = mirrors.apt
    if base.distribution == "ubuntu":
        return None if apt.ubuntu is None else Mirror(ubuntu=apt.ubuntu)
    return None if apt.debian is None else Mirror(debian=apt.debian, security=apt.debian_security)
