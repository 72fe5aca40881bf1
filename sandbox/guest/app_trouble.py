"""Ask the machine why an app does not answer, while somebody waits for the app's page."""

import time
from dataclasses import dataclass

from sandbox.app_logs.answer import AppLogs, logs_script, parse_logs, unit_script
from sandbox.app_logs.trouble import (
    Trouble,
    trouble_with_api,
    trouble_with_app,
    trouble_with_port,
)
from sandbox.errors import CommandError, ProvisionError
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.spec.plumber import unit_of
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
        if any(api.name == app for api in self.placement.plan.apis):
            return self._of_api(app)
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

    def _of_api(self, api: str) -> ProvisionError | None:
        script = unit_script(self.placement.plan, (unit_of(api),))
        logs = _asked(self.target, script)
        trouble = trouble_with_api(self.placement, api, logs) if logs is not None else None
        return error_of(trouble) if trouble is not None else None


def app_logs(
    plan: Plan, target: SshTarget, apps: tuple[str, ...], *, within_s: float
) -> AppLogs | None:
    """Ask the machine for the logs of these apps; None when it gives no answer, or a wrong one."""
    return _asked(target, logs_script(plan, apps, within_s=within_s))


def _asked(target: SshTarget, script: str) -> AppLogs | None:
    command = ("sudo", "-n", "sh", "-c", script)
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
