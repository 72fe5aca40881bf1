"""The record of an instance: its placement, how far `up` got, and what was done to it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, computed_field

from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.summary import Phase, Summary

HISTORY_LIMIT = 200


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that was done to the sandbox."""

    at: datetime
    what: str
    plan_key: str
    note: str = ""


class Record(BaseModel):
    """What is known of an instance between two commands."""

    model_config = ConfigDict(frozen=True)

    format: Literal[2] = 2
    placement: Placement
    phase: Phase = Phase.PLANNED
    recipe_key: str = ""
    """Key of plan and playbooks at the last provisioning that went well; empty before that."""
    made_whole: str = ""
    """The recipe key of the baked image that the machine was made from; the machine needs no
    provisioning while that key is wanted. Empty for a machine made from a base image or a layer."""
    kept_recipe: str = ""
    """The recipe key of the snapshot that `reset` goes back to; empty when there is none."""
    history: tuple[HistoryEntry, ...] = ()

    @classmethod
    def model_validate_json(
        cls,
        json_data: str | bytes | bytearray,
        **options: Any,  # noqa: ANN401
    ) -> Self:
        """Read a record of this format or of the one before."""
        return super().model_validate_json(_in_format_2(json_data), **options)

    @property
    def plan(self) -> Plan:
        """The plan of the machine."""
        return self.placement.plan

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know it on a property
    @property
    def summary(self) -> Summary:
        """The part shown by a listing; saved in the file too, so a listing reads only that."""
        plan = self.plan
        return Summary(
            name=self.placement.name,
            box=plan.box_name,
            base=plan.base.name,
            provider=self.placement.provider,
            phase=self.phase,
            made_at=self.history[0].at if self.history else None,
            plan_key=self.placement.key,
            endpoints=plan.endpoints,
            apps=tuple(app.name for app in plan.apps),
        )

    def wanting(self, placement: Placement) -> "Record":
        """Return the record of the same sandbox with another placement from now on."""
        return self.model_copy(update={"placement": placement})

    def advanced(
        self,
        what: str,
        *,
        phase: Phase | None = None,
        recipe_key: str | None = None,
        note: str = "",
    ) -> "Record":
        """Return the record after `what` was done."""
        entry = HistoryEntry(
            at=datetime.now(UTC), what=what, plan_key=self.placement.key, note=note
        )
        return self.model_copy(
            update={
                "phase": self.phase if phase is None else phase,
                "recipe_key": self.recipe_key if recipe_key is None else recipe_key,
                "history": (*self.history, entry)[-HISTORY_LIMIT:],
            }
        )


def _in_format_2(saved: str | bytes | bytearray) -> str | bytes | bytearray:
    """Move a plan's name and provider out of it: in records of format 1 the plan has both.

    Anything else stays unchanged, also damaged data: the reader of the record reports that.
    """
    try:
        record = json.loads(saved)
        plan = record["plan"]
        placement = {"name": plan.pop("name"), "provider": plan.pop("provider"), "plan": plan}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return saved
    rest = {key: value for key, value in record.items() if key not in {"format", "plan"}}
    return json.dumps({**rest, "placement": placement})
