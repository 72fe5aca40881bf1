"""Commands about box files: validate, schema, boxes. They start nothing and need no provider."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.complete import complete_box
from sandbox.cli.console import say, show, show_json
from sandbox.cli.rows import columns
from sandbox.cli.settings import RootOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.spec.catalogue import Entry
    from sandbox.spec.load import LoadedBox
    from sandbox.spec.load_workshop import ExaminedWorkshop, LoadedWorkshop
    from sandbox.spec.problem import Problem

_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("validate")(validate)
    app.command("schema")(schema)
    app.command("boxes")(boxes)


def validate(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BOX]...",
            help="Files, folders or names; none: all boxes in this folder.",
            autocompletion=complete_box,
        ),
    ] = None,
    *,
    root: RootOption = None,
    as_json: _Json = False,
) -> None:
    """Check box files and workshop files without starting anything; shows all problems at once.

    Also reads the code of their apps (and runs none of it): an R package that an app needs and the
    box does not name is a problem. So is an renv.lock that cannot be restored in the box's R.

    sandbox validate shiny

    sandbox validate sales.yml

    sandbox validate class.workshop.yml
    """
    from sandbox.spec import catalogue
    from sandbox.spec.bases import load_bases
    from sandbox.spec.load_workshop import examine_workshop
    from sandbox.spec.problem import box_error

    bases = load_bases()
    boxes, files = _named(targets or ())
    entries, notes = _with_their_files(
        [catalogue.examine(path, "here", bases, root) for path in boxes]
    )
    workshops = [examine_workshop(path, bases=bases, root=root) for path in files]
    if as_json:
        verdicts = [_verdict(entry, notes[entry.path]) for entry in entries]
        show_json([*verdicts, *(_workshop_verdict(one) for one in workshops)])
    else:
        for entry in entries:
            if not entry.problems:
                show(_fine(entry))
            for note in notes[entry.path]:
                say(f"hint: {note}")
        for one in workshops:
            if one.loaded is not None:
                show(_fine_workshop(one.loaded))
    looked = [(one.path, one.problems) for one in entries]
    looked += [(one.path, one.problems) for one in workshops]
    if problems := [problem for _, found in looked for problem in found]:
        raise box_error(problems, *(path for path, found in looked if found))


def _named(targets: "Sequence[str]") -> tuple[list[Path], list[Path]]:
    """The box files and the workshop files to check: by name, by file, or all of a folder.

    Without a word, of this folder.

    Raises:
        UsageError: there is no such file.
    """
    from sandbox.errors import UsageError
    from sandbox.spec import catalogue
    from sandbox.spec.file_kind import WORKSHOP_SUFFIX
    from sandbox.spec.problem import short

    cwd = Path.cwd()
    paths, workshops = list[Path](), list[Path]()
    for target in targets or ("",):
        folder = cwd / target
        if target.endswith(WORKSHOP_SUFFIX) and not folder.is_dir():
            workshops.append(_workshop_file(folder))
            continue
        if catalogue.is_name(target, cwd=cwd) or not folder.is_dir():
            paths.append(catalogue.find_box(target, cwd=cwd))
            continue
        meant, others = catalogue.boxes_to_validate(folder)
        if others:
            say(f"no boxes, passed over: {', '.join(short(path) for path in others)}")
        found = catalogue.workshops_to_validate(folder)
        workshops += found
        if not (meant or found):
            where = "this folder" if folder == cwd else short(folder)
            raise UsageError(
                f"there is no box file in {where}",
                hint="sandbox init APPDIR writes one for an app; sandbox validate FILE checks one",
            )
        paths += meant
    return list(dict.fromkeys(paths)), list(dict.fromkeys(workshops))


def _workshop_file(path: Path) -> Path:
    from sandbox.errors import UsageError
    from sandbox.plain_file import not_a_file
    from sandbox.spec.problem import short

    if (wrong := not_a_file(path)) is not None:
        raise UsageError(f"no workshop file {short(path)}: {wrong}", hint="ls *.workshop.yml")
    return path


def _with_their_files(
    entries: "Sequence[Entry]",
) -> "tuple[list[Entry], dict[Path, list[Problem]]]":
    """Add what their lock files and the code of their apps show: problems, and hints by file."""
    from dataclasses import replace

    from sandbox.r_code.lacking import findings_about
    from sandbox.spec.hints import hints_about

    looked: list[Entry] = []
    notes: dict[Path, list[Problem]] = {}
    for entry in entries:
        notes[entry.path] = []
        if entry.loaded is None:
            looked.append(entry)
            continue
        found = findings_about(entry.loaded)
        notes[entry.path] = [*hints_about(entry.loaded), *found.notes]
        problems = (*_lock_problems(entry.loaded), *found.problems)
        looked.append(replace(entry, problems=problems))
    return looked, notes


def _lock_problems(loaded: "LoadedBox") -> "tuple[Problem, ...]":
    """Find what is wrong with the box's lock files; most boxes have none, and import nothing."""
    rs = loaded.box.r.installed if loaded.box.r is not None else ()
    if not any(one.packages is not None and one.packages.source == "renv" for one in rs):
        return ()
    from sandbox.materials.packages.lock_findings import lock_problems

    return lock_problems(loaded)


def schema() -> None:
    """Print the JSON Schema of box files, for editors that complete and check YAML.

    Example:  sandbox schema > box.schema.json

    and put this line on top of a box:  # yaml-language-server: $schema=box.schema.json
    """
    from sandbox.spec.schema import schema_text

    show(schema_text(), end="")


def boxes(*, as_json: _Json = False) -> None:
    """List the boxes here and those that come with sandbox.

    Example:  sandbox boxes
    """
    from sandbox.spec.catalogue import list_boxes
    from sandbox.spec.problem import printable, short

    entries = list_boxes(Path.cwd())
    if as_json:
        show_json([_listing(entry) for entry in entries])
        return
    rows = []
    for entry in entries:
        row = _listing(entry)
        words = row["description"] if entry.loaded else "(wrong: see `sandbox validate`)"
        place = "shipped" if entry.where == "shipped" else short(entry.path)
        rows.append((entry.name, row["base"] or "?", row["r"] or "-", printable(words), place))
    show(columns(rows, heads=("NAME", "BASE", "R", "DESCRIPTION", "FILE")))


def _fine(entry: "Entry") -> str:
    from sandbox.spec.problem import short

    row = _listing(entry)
    r = f"R {row['r']}" if row["r"] else "no R"
    return f"{short(entry.path)}: valid ({row['base']}, {r})"


def _fine_workshop(loaded: "LoadedWorkshop") -> str:
    from sandbox.spec.problem import short

    seats = f"{loaded.seats} seats and {loaded.spare} spare ones of {loaded.box.name}"
    return f"{short(loaded.path)}: valid ({seats})"


def _listing(entry: "Entry") -> dict[str, Any]:
    """One box as `sandbox boxes --json` prints it."""
    loaded = entry.loaded
    return {
        "name": entry.name,
        "description": loaded.box.description if loaded else "",
        "base": loaded.base.name if loaded else None,
        "r": _default_r(loaded) if loaded else None,
        "where": entry.where,
        "path": str(entry.path),
        "valid": loaded is not None,
    }


def _default_r(loaded: "LoadedBox") -> str | None:
    """The version of the R that `R` means there."""
    from sandbox.spec.r_installed import machine_rs

    rs = machine_rs(loaded.box.r, loaded.base, loaded.box.services)
    return rs[0].version if rs else None


def _verdict(entry: "Entry", hints: "Sequence[Problem]") -> dict[str, Any]:
    """One box as `sandbox validate --json` prints it."""
    return {
        "name": entry.name,
        "path": str(entry.path),
        "valid": not entry.problems,
        "problems": [_problem_json(problem) for problem in entry.problems],
        "hints": [
            {
                "path": str(hint.path),
                "line": hint.line,
                "key": hint.key,
                "message": hint.message,
                "suggestion": hint.suggestion,
            }
            for hint in hints
        ],
    }


def _problem_json(problem: "Problem") -> dict[str, Any]:
    return {
        "path": str(problem.path),
        "line": problem.line,
        "key": problem.key,
        "message": problem.message,
        "suggestion": problem.suggestion,
        "text": problem.text,
    }


def _workshop_verdict(one: "ExaminedWorkshop") -> dict[str, Any]:
    """One workshop file as `sandbox validate --json` prints it."""
    from sandbox.spec.file_kind import WORKSHOP_SUFFIX

    return {
        "name": one.path.name.removesuffix(WORKSHOP_SUFFIX),
        "path": str(one.path),
        "valid": not one.problems,
        "problems": [_problem_json(problem) for problem in one.problems],
        "hints": [],
    }
