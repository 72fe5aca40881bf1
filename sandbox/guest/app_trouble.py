"""Ask the machine why an app does not answer, while somebody waits for the app's page."""

import time
from dataclasses import dataclass

from sandbox.app_logs.answer import AppLogs, logs_script, parse_logs
from sandbox.app_logs.trouble import Trouble, trouble_with_app, trouble_with_port
from sandbox.errors import CommandError, ProvisionError
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.ssh import SshTarget

LOOK_S = 20.0
_SLACK_S = 3.0
"""An app's start may begin a moment before we ask for its page."""


@dataclass(frozen=True)
class AskTheMachine:
    """Looks into the logs of the machine."""

    placement: Placement
    target: SshTarget

    def __call__(self, app: str, answer: str, *, since: float) -> ProvisionError | None:
        """The reason; see `pages.Why`."""
        within_s = time.monotonic() - since + _SLACK_S
        logs = app_logs(self.placement.plan, self.target, (app,), within_s=within_s)
        if logs is None:
            return None
        if (trouble := trouble_with_port(self.placement, logs)) is not None:
            return error_of(trouble)
        if not answer.startswith("HTTP 5"):
            return None
        trouble = trouble_with_app(self.placement, app, logs, within_s=within_s)
        more = f"the whole log: sandbox logs {self.placement.name} {app}"
        return error_of(trouble, more) if trouble is not None else None


def app_logs(
    plan: Plan, target: SshTarget, apps: tuple[str, ...], *, within_s: float
) -> AppLogs | None:
    """Ask the machine for the logs of these apps; None when it gives no answer, or a wrong one."""
    command = ("sudo", "-n", "sh", "-c", logs_script(plan, apps, within_s=within_s))
    try:
        return parse_logs(target.run(command, timeout_s=LOOK_S).stdout)
    except (CommandError, ValueError):
        # The caller has an error already; this is only to explain it
        return None


def error_of(trouble: Trouble, more: str = "") -> ProvisionError:
    """Turn the trouble into the error that ends `up` or `start`."""
    return ProvisionError(
        trouble.message,
        details="\n".join(trouble.words),
        hint="\n".join(line for line in (trouble.advice, more) if line),
    )
