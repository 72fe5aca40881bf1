"""The command for locks: write one, check it, upgrade one package in it, export it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_box, complete_export, complete_sbom
from sandbox.cli.console import Progress, next_steps, say, show, show_json
from sandbox.cli.settings import BaseSourceOption, ProviderOption, RootOption, context

if TYPE_CHECKING:
    from sandbox.placement import Placement
    from sandbox.workflows.lock import Locked


def lock(
    box: Annotated[
        str | None,
        typer.Argument(
            help="A box file or a box's name. Default: the only box file here.",
            autocompletion=complete_box,
        ),
    ] = None,
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only say whether the lock fits the box; for CI."),
    ] = False,
    upgrade: Annotated[
        str | None,
        typer.Option(metavar="PACKAGE", help="Take only this R package anew, and what it needs."),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="renv",
            help="Write the packages of the default R as an renv.lock.",
            autocompletion=complete_export,
        ),
    ] = None,
    sbom: Annotated[
        str | None,
        typer.Option(
            metavar="cyclonedx",
            help="Write all that is locked as a bill of materials (CycloneDX 1.6, JSON).",
            autocompletion=complete_sbom,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Instead of stdout, for exports."),
    ] = None,
    provider: ProviderOption = None,
    base_source: BaseSourceOption = "auto",
    root: RootOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Write BOX.lock.yml: every file that a box's machine is made of, by version and checksum.

    The box's packages are resolved as of today, fetched and kept; a machine that is thrown away
    says what its apt would bring. `sandbox up --locked` then makes exactly that machine.

    --check asks no machine and no network: exit 0 when the lock fits the box, 1 when the box was
    changed since, 2 without a lock.

    sandbox lock sales.yml

    sandbox lock --check sales.yml

    sandbox lock --upgrade jsonlite sales.yml

    sandbox lock --export renv -o renv.lock sales.yml

    sandbox lock --sbom cyclonedx -o sales.cdx.json sales.yml
    """
    from sandbox.workflows import lock as workflow
    from sandbox.workflows.choose_placement import Overrides, placement_for
    from sandbox.workflows.lock_export import export_lock

    _one_of(check=check, upgrade=upgrade, export=export, sbom=sbom)
    _only_with_export(output, export or sbom)
    with Progress() as progress:
        its_context = context(progress, provider=provider, base_source=base_source)
        placement = placement_for(box, Overrides(root=root), its_context, cwd=Path.cwd())
        if export is not None or sbom is not None:
            text = export_lock(placement, renv=export, sbom=sbom, output=output)
            _show_export(text, output)
            return
        if check:
            result = workflow.fitting_lock(placement)
        elif upgrade is not None:
            from sandbox.workflows.lock_upgrade import upgrade as upgrade_package

            result = upgrade_package(placement, upgrade, context=its_context)
        else:
            result = workflow.lock(placement, context=its_context)
    _show(result, placement, as_json=as_json, check=check)


def _show_export(text: str, output: Path | None) -> None:
    if output is None:
        show(text, end="")


def _one_of(**given: object) -> None:
    from sandbox.errors import UsageError

    chosen = [f"--{name}" for name, value in given.items() if value]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} do not go together", hint="one at a time")


def _only_with_export(output: Path | None, kind: str | None) -> None:
    from sandbox.errors import UsageError

    if output is not None and kind is None:
        raise UsageError(
            "-o is for exports: a lock is always next to its box",
            hint="sandbox lock --export renv -o renv.lock BOX",
        )


def _show(result: "Locked", placement: "Placement", *, as_json: bool, check: bool) -> None:
    from sandbox.spec.problem import short

    machine = result.machine
    new = sum(not one.in_base for one in machine.debs)
    if as_json:
        show_json(
            {
                "lock": str(result.path),
                "date": machine.date,
                "changed": result.changed,
                "base": machine.base.model_dump(mode="json"),
                "packages": new,
                "base_packages": len(machine.debs) - new + len(machine.from_base),
                "base_packages_without_checksum": len(machine.from_base),
                "files": len(machine.files),
            }
        )
        return
    path = short(result.path)
    if check:
        say(f"{path} fits the box {placement.plan.box_name}; it is of {machine.date}")
        return
    show(str(result.path))
    if not result.changed:
        say(f"{path} is as it was: nothing has changed since {machine.date}")
    else:
        say(
            f"{new} packages to install and {len(machine.files)} fetched files by checksum; of the "
            f"base {len(machine.from_base)} packages by version only: the archive has them no more"
        )
    box = shlex.quote(short(placement.plan.box_path))
    next_steps(f"sandbox up --locked {box}", f"sandbox lock --check {box}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lock")(lock)
