"""All sandboxes, one of them, and its logs. Reads only, and takes no lock."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.events import Notice
from sandbox.guest.pages import direct_pages, proven_by_page
from sandbox.providers import FALLBACK
from sandbox.providers.engine import MachineStatus, NotHereError, Power
from sandbox.saved import BrokenFileError, read_json, text_of
from sandbox.state import Instance, instance_names
from sandbox.summary import Phase, Summary
from sandbox.workflows.box_changes import BoxChanges
from sandbox.workflows.context import Context
from sandbox.workflows.machine_spec import record_elsewhere

if TYPE_CHECKING:
    from sandbox.record import HistoryEntry

ELSEWHERE = "another user's"
"""The state of a machine with its record in another folder than ours."""
BROKEN = "broken"
"""The state of a sandbox with a record that cannot be read; `destroy` removes it."""


@dataclass(frozen=True, kw_only=True)
class SandboxInfo:
    """One line of `sandbox list`."""

    name: str
    box: str
    base: str
    provider: str
    state: str
    """`running`, `stopped`, `unfinished`, `gone`, `broken` (its record cannot be read), `unknown`
    (the provider does not answer), …"""
    address: str | None = None
    urls: tuple[str, ...] = ()
    checks: str = ""
    """The result of the last checks in a few words; empty when none ran."""
    changed: tuple[str, ...] = ()
    """Files of its box, and apps, that have changed since `up`."""
    made_at: datetime | None = None
    plan_key: str = ""


@dataclass(frozen=True, kw_only=True)
class SandboxDetails(SandboxInfo):
    """The additional facts of `sandbox status NAME`."""

    cpus: int
    memory_mb: int
    disk_gb: int
    folder: str
    box_path: str
    history: "tuple[HistoryEntry, ...]"


def all_sandboxes(context: Context) -> list[SandboxInfo]:
    """List every sandbox with a folder, and every machine of ours that has lost its folder.

    Raises:
        SandboxError: nothing has a folder, and a provider that may have a machine does not answer.
    """
    names = instance_names()
    known, broken = [], []
    for name in names:
        try:
            summary = Instance(name).summary()
        except BrokenFileError as error:
            context.listener(Notice(name, f"{error.message} ({error.details}): {error.hint}"))
            broken.append(_broken(name, context))
        else:
            if summary is not None:
                known.append(summary)
            else:
                text = f"{name} has a folder and no saved plan: sandbox destroy {name}"
                context.listener(Notice(name, f"{text} removes what is left of it"))
                broken.append(_broken(name, context))
    used = {FALLBACK, *(summary.provider for summary in known)}
    statuses = {provider: _statuses(context, provider, alone=not names) for provider in used}
    boxes = BoxChanges()
    infos = [_info(summary, statuses[summary.provider], boxes) for summary in known]
    for provider in sorted(used):
        for name, status in sorted((statuses[provider] or {}).items()):
            if name not in names and status.power is not Power.ABSENT:
                infos.append(_unrecorded(name, provider, status))
    return sorted([*infos, *broken], key=lambda info: info.name) if broken else infos


def details_of(name: str, context: Context) -> SandboxDetails:
    """Gather everything known of one sandbox.

    Raises:
        UsageError: there is no such sandbox.
    """
    record = Instance(name).require()
    statuses = _statuses(context, record.placement.provider, alone=False)
    info = _info(record.summary, statuses, BoxChanges())
    machine = record.plan.machine
    return SandboxDetails(
        **asdict(info),
        cpus=machine.cpus,
        memory_mb=machine.memory_mb,
        disk_gb=machine.disk_gb,
        folder=str(Instance(name).folder),
        box_path=str(record.plan.box_path),
        history=record.history,
    )


def _statuses(context: Context, provider: str, *, alone: bool) -> dict[str, MachineStatus] | None:
    """The machines at a provider; None when it does not answer: the files can be shown anyway.

    Raises:
        SandboxError: with `alone`, when there are no files, and there may still be machines.
    """
    try:
        return context.statuses(provider)
    except NotHereError as error:
        if not alone:
            context.listener(_unknown(provider, error))
    except SandboxError as error:
        if alone:
            raise
        context.listener(_unknown(provider, error))
    return None


def _unknown(provider: str, error: SandboxError) -> Notice:
    hint = f": {error.hint}" if error.hint else ""
    return Notice("", f"states at {provider} are unknown: {error.message}{hint}")


def _broken(name: str, context: Context) -> SandboxInfo:
    """The line without a record; the state is that of the machine, if there is one."""
    provider = context.providers.maker_of(Instance(name).folder) or FALLBACK
    return SandboxInfo(name=name, box="?", base="?", provider=provider, state=BROKEN)


def _unrecorded(name: str, provider: str, status: MachineStatus) -> SandboxInfo:
    return SandboxInfo(
        name=name,
        box=dict(status.labels).get("box", "?"),
        base="?",
        provider=provider,
        state=ELSEWHERE if record_elsewhere(status, Instance(name).folder) else "no record",
        address=status.address,
    )


def _info(
    summary: Summary, statuses: dict[str, MachineStatus] | None, boxes: BoxChanges
) -> SandboxInfo:
    status = (statuses or {}).get(summary.name)
    folder = Instance(summary.name).folder
    pages = direct_pages(summary.endpoints, status) if status is not None else ()
    return SandboxInfo(
        name=summary.name,
        box=summary.box,
        base=summary.base,
        provider=summary.provider,
        state=_state(summary.phase, status) if statuses is not None else "unknown",
        address=status.address if status is not None else None,
        urls=tuple(page.url for page in proven_by_page(pages)),
        checks=_checks(folder),
        changed=boxes.changed(folder),
        made_at=summary.made_at,
        plan_key=summary.plan_key,
    )


def _state(phase: Phase, status: MachineStatus | None) -> str:
    if status is None or status.power is Power.ABSENT:
        return "unfinished" if phase is Phase.PLANNED else "gone"
    if phase is not Phase.PROVISIONED and status.power is Power.RUNNING:
        return "unfinished"
    return str(status.power)


def _checks(folder: Path) -> str:
    try:
        saved = read_json(folder / "checks.json")
        return "" if saved is None else text_of(saved["summary"])
    except (BrokenFileError, KeyError, TypeError, ValueError):
        # Damaged, or written before reports had a summary
        from sandbox.checks.results import last_report

        report = last_report(folder)
        return report.summary if report is not None else ""
