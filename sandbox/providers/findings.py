"""What was looked at on this host for a provider, and whether that is usable here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at on this host, and what to do about it."""

    ok: bool
    title: str
    """What was looked at: `the Incus daemon answers`."""
    detail: str = ""
    """What was found, in the tool's own words where it has some."""
    fix: str = ""
    """The command that mends it; empty when `ok`."""
    warning: bool = False
    """Not as it should be, but no reason to stop."""
    doubtful: bool = False
    """It may not be what anybody wants: nobody gets this provider by default, but whoever names it
    is warned and may try."""


@dataclass(frozen=True)
class HostReport:
    """Whether a provider is usable here, and why (not)."""

    provider: str
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """True when nothing found stands in the way."""
        return all(finding.ok or finding.warning for finding in self.findings)

    @property
    def sound(self) -> bool:
        """True when it is usable and there is no doubt: good enough to be taken unasked."""
        return self.usable and not any(finding.doubtful for finding in self.findings)

    @property
    def possible(self) -> bool:
        """True when it is usable, or nothing but doubts stands in the way."""
        return all(item.ok or item.warning or item.doubtful for item in self.findings)
