"""The command for bundles: write one, verify one. `sandbox up FILE` makes the sandbox of one."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_bundle
from sandbox.cli.console import Progress, next_steps, say, show, show_json
from sandbox.cli.settings import BaseSourceOption, ProviderOption, RootOption, context

if TYPE_CHECKING:
    from sandbox.workflows.bundle import Bundled


def bundle(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BOX] | verify FILE",
            help="A box file or a box's name (default: the only box file here); or `verify` and "
            "a bundle.",
            autocompletion=complete_bundle,
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: BOX.sandbox, here."),
    ] = None,
    provider: ProviderOption = None,
    base_source: BaseSourceOption = "auto",
    root: RootOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Write a box and all that its machine is made of into one file, for hosts without a network.

    In it are the base image, the packages, R, RStudio, the playbooks, the apps and the lock, each
    with its checksum; a box without a lock is locked first. No values of secrets are in it.
    `sandbox up FILE` makes the sandbox from it, with this same version of sandbox.

    verify: say what is broken in a bundle; exit 0 when it is whole, 3 when it is not.

    sandbox bundle sales.yml -o sales.sandbox

    sandbox bundle verify sales.sandbox

    sandbox up sales.sandbox
    """
    from sandbox.errors import UsageError

    match words or []:
        case ["verify"]:
            raise UsageError("verify which file?", hint="sandbox bundle verify FILE")
        case ["verify", file]:
            if output is not None:
                raise UsageError("verify writes nothing: -o has no meaning here")
            _verify(Path(file), as_json=as_json)
            return
        case [] | [_]:
            pass
        case _:
            raise UsageError("one box at a time", hint="sandbox bundle BOX -o FILE")
    from sandbox.workflows.bundle import bundle as make
    from sandbox.workflows.bundled import SUFFIX
    from sandbox.workflows.choose_placement import Overrides, placement_for

    with Progress() as progress:
        its_context = context(progress, provider=provider, base_source=base_source)
        box = words[0] if words else None
        placement = placement_for(box, Overrides(root=root), its_context, cwd=Path.cwd())
        place = output if output is not None else Path(f"{placement.plan.box_name}{SUFFIX}")
        result = make(placement, Path.cwd() / place, context=its_context)
    _show(result, as_json=as_json)


def _show(result: "Bundled", *, as_json: bool) -> None:
    from sandbox.spec.problem import short

    manifest = result.manifest
    if as_json:
        show_json(
            {
                "bundle": str(result.path),
                "box": manifest.box_name,
                "sandbox": manifest.sandbox,
                "base": manifest.base.title,
                "blobs": len(manifest.blobs),
                "size_bytes": result.size_bytes,
                "manifest_sha256": result.manifest_sha256,
            }
        )
        return
    show(str(result.path))
    say(
        f"{len(manifest.blobs)} files, {result.size_bytes / 1e6:.0f} MB; "
        f"its manifest is {result.manifest_sha256}"
    )
    file = shlex.quote(short(result.path))
    next_steps(f"sandbox bundle verify {file}", f"sandbox up {file}")


def _verify(file: Path, *, as_json: bool) -> None:
    from sandbox.workflows.unbundle import broken, verify_bundle

    with Progress() as progress:
        found = verify_bundle(Path.cwd() / file, context=context(progress))
    manifest = found.manifest
    if as_json:
        show_json(
            {
                "bundle": str(file),
                "ok": not found.problems,
                "problems": list(found.problems),
                "box": manifest.box_name if manifest else None,
                "sandbox": manifest.sandbox if manifest else None,
                "base": manifest.base.title if manifest else None,
                "provider": manifest.base.provider if manifest else None,
                "blobs": len(manifest.blobs) if manifest else None,
                "manifest_sha256": found.manifest_sha256 or None,
            }
        )
    if manifest is None or found.problems:
        raise broken(file, found.problems)
    if not as_json:
        say(
            f"{file} is whole: {manifest.box_name} on {manifest.base.title} "
            f"({manifest.base.provider}), {len(manifest.blobs)} files; made with sandbox "
            f"{manifest.sandbox}; its manifest is {found.manifest_sha256}"
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bundle")(bundle)
