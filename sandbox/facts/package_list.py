"""The list of the system's packages, as dpkg and rpm print it."""

import re

from sandbox.probe.frame import Frame

# Told by kinds of their own, or of no effect on R
_ELSEWHERE = re.compile(r"r-(cran|bioc|omegahat|other)-.*|fonts-.+|libgcc-s1|gcc-\d+-base")


def is_installed(state: str) -> bool:
    """Tell whether the second of dpkg's two letters says "installed"; the first is what is wanted.

    One that waits for a trigger is all there.
    """
    return state[1:2] in ("i", "W", "t")


def system_versions(frame: Frame) -> dict[str, str]:
    """Return every system package with its version."""
    rows = [(*line.split("\t"), "", "") for line in frame.lines("dpkg")]
    found = {name: version for state, name, version, *_ in rows if is_installed(state)}
    rpm = (line.partition("\t") for line in frame.lines("rpm"))
    return found | {name: version for name, _, version in rpm}


def is_told_elsewhere(package: str) -> bool:
    """Tell whether other kinds of facts cover a package, or R does not notice it."""
    return _ELSEWHERE.fullmatch(package) is not None
