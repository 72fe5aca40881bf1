"""Release changed apps, and nothing else, into the running machine, without a playbook.

The role `apps` defines how an app is released: its scripts run here too, on an archive made in the
same way, so the machine ends in the same state as after a full run. Work that is cut off leaves a
record that says so, and the next `up` makes a full run.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePosixPath

from sandbox.baking import recipe_key
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome, last_report
from sandbox.errors import CommandError, ProvisionError
from sandbox.events import step
from sandbox.guest.guest import Guest
from sandbox.guest.pages import Page, apps_url
from sandbox.paths import data_dir
from sandbox.plan import Plan, PlannedApp
from sandbox.providers.engine import MachineStatus
from sandbox.provision import pack
from sandbox.record import Record
from sandbox.render import archive_path
from sandbox.ssh import SshTarget
from sandbox.state import Instance
from sandbox.summary import Phase
from sandbox.workflows.snapshot import keep_provisioned

_RELEASE_S = 300.0
_END_S = 30.0
# As the role's tasks do before release-app.sh: a folder of root's, and the archive in it
_UNPACK = """
set -eu
umask 022
part=$2/$3/$4.part
rm -rf "$part"
mkdir -p "$part"
tar -x -p -C "$part" -f -
exec /bin/sh -c "$5" sh "$1" "$2" "$3" "$4"
"""


@dataclass(frozen=True)
class Deployed:
    """The result of a deployment."""

    apps: tuple[str, ...]
    now: CheckReport | None
    """The checks made just now: these apps' pages and sessions."""
    report: CheckReport | None
    """All results: the new ones, and those found before."""


@dataclass(frozen=True)
class _Folders:
    """The folders of apps on the machine: defaults of the role `apps`, which nobody changes."""

    site: PurePosixPath
    releases: PurePosixPath

    @classmethod
    def of_role(cls) -> "_Folders":
        import yaml

        defaults = data_dir("playbooks") / "roles" / "apps" / "defaults" / "main.yml"
        said = yaml.safe_load(defaults.read_text(encoding="utf-8"))
        return cls(PurePosixPath(said["apps_site_dir"]), PurePosixPath(said["apps_releases_dir"]))


def deploy(guest: Guest, record: Record, status: MachineStatus, *, checks: bool) -> Deployed:
    """Release the apps that differ from the record's; the caller knows that nothing else differs.

    Raises:
        ProvisionError: an app cannot be read or released, or does not start; R's words say why.
    """
    placement = guest.placement
    changed = changed_apps(record.plan, placement.plan)
    for app in changed:
        pack(app, archive_path(guest.folder, app.name))
    target = guest.login()
    names = tuple(app.name for app in changed)
    # Half-done work must never count as whole: forget the old recipe first
    half = record.wanting(placement)
    half = half.model_copy(update={"phase": Phase.CREATED, "recipe_key": ""})
    guest.write(half)
    folders = _Folders.of_role()
    with step(guest.listener, guest.name, f"release {', '.join(names)}"):
        for app in changed:
            _release(app, target, guest.instance, folders)
    record = half.advanced(
        "released", phase=Phase.PROVISIONED, recipe_key=recipe_key(placement), note=", ".join(names)
    )
    guest.write(record)
    with ThreadPoolExecutor(1) as aside, guest.reached_pages(status, target) as pages:
        if checks:
            # Takes a quarter of a second, as long as R takes to start
            aside.submit(import_module, "sandbox.checks.quick")
        with step(guest.listener, guest.name, "first page"):
            _wait([page for page in pages if page.name in names], guest, status, target)

        def tidy() -> Record:
            for app in changed:
                _end_old(app, target, folders)
            return keep_provisioned(guest, record)

        tidied = aside.submit(tidy)
        url = apps_url(placement.plan, pages)
        now = guest.check_some(ids_of(names), target, url) if checks else None
        kept = tidied.result()
    if now is None:
        guest.write(kept)
        return Deployed(names, None, last_report(guest.folder))
    report = _merged(guest, now.results)
    guest.write(kept.advanced("checked", note=f"{', '.join(names)}: {now.summary}"))
    return Deployed(names, now, report)


def changed_apps(old: Plan, new: Plan) -> tuple[PlannedApp, ...]:
    """List the apps with files that differ."""
    before = {app.name: app.sha256 for app in old.apps}
    return tuple(app for app in new.apps if before.get(app.name) != app.sha256)


def _release(app: PlannedApp, target: SshTarget, instance: Instance, folders: _Folders) -> None:
    files = data_dir("playbooks") / "roles" / "apps" / "files"
    release = (files / "release-app.sh").read_text(encoding="utf-8")
    words = (str(folders.site), str(folders.releases), app.name, app.release, release)
    archive = archive_path(instance.folder, app.name).read_bytes()
    try:
        target.run(
            ("sudo", "-n", "sh", "-c", _UNPACK, "sh", *words), timeout_s=_RELEASE_S, stdin=archive
        )
    except CommandError as error:
        raise ProvisionError(
            f"the app {app.name} could not be released",
            details=error.stderr.strip() or error.details or error.message,
            hint=f"sandbox up {instance.name} tries again, by the playbook",
        ) from error


def _end_old(app: PlannedApp, target: SshTarget, folders: _Folders) -> None:
    files = data_dir("playbooks") / "roles" / "apps" / "files"
    end = (files / "end-old-workers.sh").read_text(encoding="utf-8")
    words = (str(folders.releases), app.name, app.release)
    target.run(("sudo", "-n", "sh", "-c", end, "sh", *words), timeout_s=_END_S)


def _wait(pages: Sequence[Page], guest: Guest, status: MachineStatus, target: SshTarget) -> None:
    for page in pages:
        try:
            guest.wait_for_pages((page,), status, target)
        except ProvisionError as error:
            # The earlier results do not hold for this app any more
            _merged(guest, (_no_page(page.name, error),))
            raise


def _no_page(app: str, error: ProvisionError) -> CheckResult:
    return CheckResult(
        id=f"up.page.{app}",
        goal=Goal.UP,
        title=f"the app {app} serves its page",
        outcome=Outcome.FAILED,
        actual=error.message,
        fix=error.hint,
    )


def ids_of(apps: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of checks that look at these apps, and run again when an app is released."""
    return tuple(f"up.{what}.{app}" for app in apps for what in ("page", "session"))


def _merged(guest: Guest, found: Sequence[CheckResult]) -> CheckReport:
    """The last whole run's results, with the new ones in their place; saved."""
    last = last_report(guest.folder)
    fresh = {one.id: one for one in found}
    results = () if last is None else last.results
    kept = tuple(fresh.pop(one.id, one) for one in results)
    report = CheckReport(
        sandbox=guest.name,
        box=guest.plan.box_name,
        plan_key=guest.placement.key,
        elapsed_s=last.elapsed_s if last is not None else 0.0,
        results=(*kept, *fresh.values()),
    )
    guest.instance.write_text("checks.json", report.model_dump_json(indent=1))
    return report
