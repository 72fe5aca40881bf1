"""Before anything starts: find packages that a plan's apps need and its machine would lack."""

from dataclasses import replace

from sandbox.errors import BoxError
from sandbox.events import Notice
from sandbox.placement import Placement
from sandbox.r_code.lacking import ADDS, findings_about
from sandbox.spec.load import load_box
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows.context import Context


def refuse_unmet_needs(placement: Placement, context: Context) -> None:
    """Refuse a plan if an app fails at its start and one line mends that; report the rest.

    A machine that has these very apps has passed this test: its checks have run.

    Raises:
        BoxError: an app needs at its start what the box does not name; nothing was started.
    """
    plan = placement.plan
    record = Instance(placement.name).read()
    if (
        record is not None
        and record.phase is Phase.PROVISIONED
        and (record.plan.apps, record.plan.r) == (plan.apps, plan.r)
    ):
        return
    try:
        loaded = load_box(plan.box_path, root=plan.box_root)
    except BoxError:
        return  # the file is gone: the plan is complete without it
    found = findings_about(loaded)
    for problem in (*found.later, *found.notes):
        context.listener(Notice(placement.name, str(problem)))
    if found.at_start:
        count = "an R package" if len(found.at_start) == 1 else f"{len(found.at_start)} R packages"
        # One line covers all packages that the box only has to name
        lines = [one.suggestion for one in found.at_start if one.suggestion.startswith(ADDS)]
        told = [
            replace(one, suggestion="") if one.suggestion in lines else one
            for one in found.at_start
        ]
        raise BoxError(
            f"the apps need {count} that `{plan.box_name}` does not give: nothing was started",
            details="\n".join(map(str, told)),
            hint=f"{lines[0][0].lower()}{lines[0][1:]}" if lines else f"mend {told[0].place}",
        )
