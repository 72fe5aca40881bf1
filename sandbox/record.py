"""The record of an instance: its plan, how far it got, and what was done to it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, computed_field

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

    format: int = 1
    plan: Plan
    phase: Phase = Phase.PLANNED
    recipe_key: str = ""
    """Plan and playbooks of the last provisioning that went well; empty before it."""
    made_whole: str = ""
    """The recipe key of the baked image that the machine was made from: it needs no provisioning
    while that is what is wanted. Empty for a machine made from a base image or a layer."""
    kept_recipe: str = ""
    """The recipe key of the snapshot that `reset` goes back to; empty when there is none."""
    history: tuple[HistoryEntry, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know it on a property
    @property
    def summary(self) -> Summary:
        """What a listing shows; in the file too, so that it needs nothing else of it."""
        plan = self.plan
        shiny = plan.services.shiny_server
        return Summary(
            name=plan.name,
            box=plan.box_name,
            base=plan.base.name,
            provider=plan.provider,
            phase=self.phase,
            made_at=self.history[0].at if self.history else None,
            plan_key=plan.key,
            shiny_port=shiny.port if shiny is not None else None,
            apps=tuple(app.name for app in plan.apps),
        )

    def advanced(
        self,
        what: str,
        *,
        phase: Phase | None = None,
        recipe_key: str | None = None,
        note: str = "",
    ) -> "Record":
        """The record after `what` was done."""
        entry = HistoryEntry(at=datetime.now(UTC), what=what, plan_key=self.plan.key, note=note)
        return self.model_copy(
            update={
                "phase": self.phase if phase is None else phase,
                "recipe_key": self.recipe_key if recipe_key is None else recipe_key,
                "history": (*self.history, entry)[-HISTORY_LIMIT:],
            }
        )
