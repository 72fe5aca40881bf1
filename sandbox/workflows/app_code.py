"""Before anything starts: what the apps of a plan ask for and their machine would not have."""

from sandbox.errors import BoxError
from sandbox.events import Notice
from sandbox.plan import Plan
from sandbox.r_code.lacking import findings_about
from sandbox.spec.load import load_box
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows.context import Context


def look_at_apps(plan: Plan, context: Context) -> None:
    """Refuse a plan whose app fails at its first line and that one line mends; tell of the rest.

    A machine that has these very apps is past that: its checks have run.

    Raises:
        BoxError: an app needs at its start what the box does not name; nothing was started.
    """
    record = Instance(plan.name).read()
    if (
        record is not None
        and record.phase is Phase.PROVISIONED
        and (record.plan.apps, record.plan.r) == (plan.apps, plan.r)
    ):
        return
    try:
        loaded = load_box(plan.box_path, root=plan.box_root)
    except BoxError:
        return  # the file has gone since: the plan is complete by itself
    found = findings_about(loaded)
    for problem in (*found.later, *found.notes):
        context.listener(Notice(plan.name, str(problem)))
    if found.at_start:
        count = len(found.at_start)
        first = found.at_start[0].suggestion
        packages = "an R package" if count == 1 else f"{count} R packages"
        raise BoxError(
            f"the apps need {packages} that `{plan.box_name}` does not name: nothing was started",
            details="\n".join(f"{one.place}: {one.message}" for one in found.at_start),
            hint=f"{first[0].lower()}{first[1:]}",
        )
