"""Let a workshop end later. Nothing is removed by itself; the pages only warn before the end."""

from dataclasses import replace
from datetime import UTC, datetime

from sandbox.errors import UsageError
from sandbox.workflows.workshop.running import RunningWorkshop, require_open


def extend(ws: RunningWorkshop, ends: datetime) -> RunningWorkshop:
    """Set the end of the workshop; return it with that.

    Raises:
        UsageError: the moment is over, or the workshop is closing.
    """
    require_open(ws)
    if ends <= datetime.now(UTC):
        raise UsageError(
            f"{ends:%Y-%m-%d %H:%M %Z} is over", hint=f"sandbox workshop extend {ws.name} --by 1h"
        )
    record = ws.store.change_record(lambda one: one.model_copy(update={"ends": ends}))
    return replace(ws, record=record)
