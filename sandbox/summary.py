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
        port = saved["shiny_port"]
        if port is not None and not isinstance(port, int):
            raise TypeError("shiny_port")
        return cls(
            name=text_of(saved["name"]),
            box=text_of(saved["box"]),
            base=text_of(saved["base"]),
            provider=text_of(saved["provider"]),
            phase=Phase(saved["phase"]),
            made_at=datetime.fromisoformat(saved["made_at"]) if saved["made_at"] else None,
            plan_key=text_of(saved["plan_key"]),
            shiny_port=port,
            apps=tuple(text_of(app) for app in saved["apps"]),
        )


def text_of(value: object) -> str:
    """Text, as it can be printed.

    Raises:
        TypeError, ValueError: it is something else.
    """
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    # Half a character, as JSON can write it: nothing could print it
    value.encode("utf-8")
    return value
