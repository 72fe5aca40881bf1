"""Findings about a provider on this host, and whether the provider is usable here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at on this host, and what to do about it."""

    ok: bool
    title: str
    """What was tested: `the Incus daemon answers`."""
    detail: str = ""
    """The result, in the tool's own words where there are some."""
    fix: str = ""
    """The command that mends it; empty when `ok`."""
    warning: bool = False
    """Not as it should be, but no reason to stop."""
    doubtful: bool = False
    """Perhaps nobody wants this provider: it is never the default, but a user who names it is
    warned and may try."""


@dataclass(frozen=True)
class HostReport:
    """Whether a provider is usable here, and why (not)."""

    provider: str
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """True when no finding prevents its use."""
        return all(finding.ok or finding.warning for finding in self.findings)

    @property
    def sound(self) -> bool:
        """True when it is usable and there is no doubt: then it may be the default."""
        return self.usable and not any(finding.doubtful for finding in self.findings)

    @property
    def possible(self) -> bool:
        """True when it is usable, or only doubts speak against it."""
        return all(item.ok or item.warning or item.doubtful for item in self.findings)
