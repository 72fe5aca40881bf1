"""The part of a record that `sandbox list` shows, saved with the record.

A listing builds no model of fifty plans, and does not load the library for that: loading it takes
longer than all the rest of the listing.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from sandbox.endpoints import Endpoint
from sandbox.saved import text_of


class Phase(StrEnum):
    """How far `up` has come; each step starts from the last step that was finished."""

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
    endpoints: tuple[Endpoint, ...]
    """Where the sandbox's services answer."""
    apps: tuple[str, ...]

    @classmethod
    def from_saved(cls, saved: dict[str, Any]) -> Self:
        """Read the part `summary` of a record's file.

        Raises:
            KeyError, TypeError, ValueError: the part is not in this form.
        """
        return cls(
            name=text_of(saved["name"]),
            box=text_of(saved["box"]),
            base=text_of(saved["base"]),
            provider=text_of(saved["provider"]),
            phase=Phase(saved["phase"]),
            made_at=datetime.fromisoformat(saved["made_at"]) if saved["made_at"] else None,
            plan_key=text_of(saved["plan_key"]),
            endpoints=tuple(Endpoint.from_saved(one) for one in saved["endpoints"]),
            apps=tuple(text_of(app) for app in saved["apps"]),
        )
