"""What `sandbox list` shows of a record, saved with it.

A listing makes no model of fifty plans, and starts without the library that would: that takes
longer than all the rest of it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class Phase(StrEnum):
    """How far `up` has come; each step starts from the last one that was finished."""

    PLANNED = "planned"
    CREATED = "created"
    PROVISIONED = "provisioned"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One sandbox in a few words. Made by `Record`, and read back from its file."""

    name: str
    box: str
    base: str
    provider: str
    phase: Phase
    made_at: datetime | None
    """When its first `up` began."""
    plan_key: str
    shiny_port: int | None
    """Where Shiny Server listens in the machine; None without one."""
    apps: tuple[str, ...]

    @classmethod
    def from_saved(cls, saved: dict[str, Any]) -> Self:
        """Read what a record's file says under `summary`.

        Raises:
            KeyError, TypeError, ValueError: it says something else.
        """
        return cls(
            name=saved["name"],
            box=saved["box"],
            base=saved["base"],
            provider=saved["provider"],
            phase=Phase(saved["phase"]),
            made_at=datetime.fromisoformat(saved["made_at"]) if saved["made_at"] else None,
            plan_key=saved["plan_key"],
            shiny_port=saved["shiny_port"],
            apps=tuple(saved["apps"]),
        )
