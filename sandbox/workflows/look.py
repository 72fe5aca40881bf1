"""What is there: all sandboxes, one of them, and its logs. Reads only, and takes no lock."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from sandbox.checks.results import last_report
from sandbox.engines.base import MachineStatus, Power
from sandbox.errors import SandboxError
from sandbox.events import Notice
from sandbox.plan import Plan
from sandbox.state import HistoryEntry, Instance, Phase, Record, instance_names
from sandbox.workflows.context import DRIVEN, Context
from sandbox.workflows.machine import record_elsewhere
from sandbox.workflows.reach import app_urls, direct_url

ELSEWHERE = "another user's"
"""The state of a machine whose record is in another folder than ours."""


class SandboxInfo(BaseModel):
    """One line of `sandbox list`."""

    model_config = ConfigDict(frozen=True)

    name: str
    box: str
    base: str
    provider: str
    state: str
    """`running`, `stopped`, `unfinished`, `gone`, `unknown` (the provider does not answer), …"""
    address: str | None = None
    urls: tuple[str, ...] = ()
    checks: str = ""
    """What the last checks came to, in a few words; empty when none ran."""
    made_at: datetime | None = None
    plan_key: str = ""


class SandboxDetails(SandboxInfo):
    """What `sandbox status NAME` shows on top of the line."""

    cpus: int
    memory_mb: int
    disk_gb: int
    folder: str
    box_path: str
    history: tuple[HistoryEntry, ...]


def all_sandboxes(context: Context) -> list[SandboxInfo]:
    """Every sandbox with a folder, and every machine of ours that has lost its folder."""
    records = {name: _readable(name, context) for name in instance_names()}
    known = [record for record in records.values() if record is not None]
    used = {DRIVEN[0], *(record.plan.provider for record in known)}
    statuses = {provider: _statuses(context, provider, quiet=not known) for provider in used}
    infos = [_info(record, statuses[record.plan.provider]) for record in known]
    for provider in sorted(used):
        for name, status in sorted((statuses[provider] or {}).items()):
            if name not in records and status.power is not Power.ABSENT:
                infos.append(_unrecorded(name, provider, status))
    return infos


def details_of(name: str, context: Context) -> SandboxDetails:
    """Everything known of one sandbox.

    Raises:
        UsageError: there is no such sandbox.
    """
    record = Instance(name).require()
    info = _info(record, _statuses(context, record.plan.provider, quiet=False))
    machine = record.plan.machine
    return SandboxDetails(
        **info.model_dump(),
        cpus=machine.cpus,
        memory_mb=machine.memory_mb,
        disk_gb=machine.disk_gb,
        folder=str(Instance(name).folder),
        box_path=str(record.plan.box_path),
        history=record.history,
    )


def _readable(name: str, context: Context) -> Record | None:
    try:
        return Instance(name).read()
    except SandboxError as error:
        context.listener(Notice(name, f"{error.message}: {error.hint}"))
        return None


def _statuses(context: Context, provider: str, *, quiet: bool) -> dict[str, MachineStatus] | None:
    """None when the provider does not answer: what is on disk can be shown all the same."""
    try:
        return context.engine(provider).status()
    except SandboxError as error:
        if not quiet:
            context.listener(Notice("", f"states at {provider} are unknown: {error.message}"))
        return None


def _unrecorded(name: str, provider: str, status: MachineStatus) -> SandboxInfo:
    return SandboxInfo(
        name=name,
        box=dict(status.labels).get("box", "?"),
        base="?",
        provider=provider,
        state=ELSEWHERE if record_elsewhere(status, Instance(name).folder) else "no record",
        address=status.address,
    )


def _info(record: Record, statuses: dict[str, MachineStatus] | None) -> SandboxInfo:
    plan = record.plan
    status = (statuses or {}).get(plan.name)
    report = last_report(Instance(plan.name).folder)
    return SandboxInfo(
        name=plan.name,
        box=plan.box_name,
        base=plan.base.name,
        provider=plan.provider,
        state=_state(record, status) if statuses is not None else "unknown",
        address=status.address if status is not None else None,
        urls=_urls(plan, status),
        checks=report.summary if report is not None else "",
        made_at=record.history[0].at if record.history else None,
        plan_key=plan.key,
    )


def _state(record: Record, status: MachineStatus | None) -> str:
    if status is None or status.power is Power.ABSENT:
        return "unfinished" if record.phase is Phase.PLANNED else "gone"
    if record.phase is not Phase.PROVISIONED and status.power is Power.RUNNING:
        return "unfinished"
    return str(status.power)


def _urls(plan: Plan, status: MachineStatus | None) -> tuple[str, ...]:
    url = direct_url(plan, status) if status is not None else ""
    return tuple(app.url for app in app_urls(plan, url))
