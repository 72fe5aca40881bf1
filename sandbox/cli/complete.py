"""Words that can stand at the cursor: names, boxes, providers, snapshots, sides of a diff.

The shell asks at each press of a key. So nothing here reads YAML or makes a model, and words that
cannot be found out are left out.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import typer

from sandbox.errors import SandboxError
from sandbox.providers import PROVIDERS

_GOALS: Final = ("up", "safe", "correct", "snappy")
_BASE_SOURCES: Final = ("auto", "build", "public")
_BOX_SUFFIXES: Final = (".yml", ".yaml")
_LOCK_SUFFIX: Final = ".lock.yml"
_WORKSHOP_SUFFIX: Final = ".workshop.yml"
_BUNDLE: Final = ".sandbox"
_FACTS: Final = ".facts.json"


def complete_name(incomplete: str) -> list[str]:
    """List the names of sandboxes."""
    from sandbox.paths import instances_dir

    folder = instances_dir()
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return _fitting(names, incomplete)


def complete_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the names of sandboxes, without those that were typed before."""
    typed = ctx.params.get("names") or ()
    return [name for name in complete_name(incomplete) if name not in typed]


def complete_box(incomplete: str) -> list[str]:
    """List the box files of the folder in the typed path, and the names of our own boxes."""
    return [*_shipped(incomplete), *_files(incomplete, _is_box)]


def complete_box_or_name(incomplete: str) -> list[str]:
    """List the names of sandboxes, box files, and the names of our own boxes."""
    return list(dict.fromkeys([*complete_name(incomplete), *complete_box(incomplete)]))


def complete_up(incomplete: str) -> list[str]:
    """List the things that `up` takes: sandboxes, boxes, bundles."""
    bundles = _files(incomplete, lambda name: name.endswith(_BUNDLE))
    return list(dict.fromkeys([*complete_box_or_name(incomplete), *bundles]))


def complete_bundle(ctx: typer.Context, incomplete: str) -> list[str]:
    """List boxes and the word `verify`; after that word, bundles."""
    if ctx.params.get("words"):
        return _files(incomplete, lambda name: name.endswith(_BUNDLE))
    return [*_fitting(("verify",), incomplete), *complete_box(incomplete)]


def complete_workshop(incomplete: str) -> list[str]:
    """List the workshop files."""
    return _files(incomplete, lambda name: name.endswith(_WORKSHOP_SUFFIX))


def complete_open_workshop(incomplete: str) -> list[str]:
    """List the open workshops, and workshop files."""
    return [*_fitting(_open_workshops(), incomplete), *complete_workshop(incomplete)]


def complete_workshop_seat(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the open workshops; after one of them, or when only one is open, its seats."""
    typed = list(ctx.params.get("words") or ())
    names = _open_workshops()
    chosen = typed[:1] or (names if len(names) == 1 else [])
    seats = _fitting((word for name in chosen for word in _seats_of(name)), incomplete)
    return seats if typed else [*_fitting(names, incomplete), *seats]


def _open_workshops() -> list[str]:
    from sandbox.paths import state_dir

    folder = state_dir() / "workshops"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def _seats_of(workshop: str) -> list[str]:
    from sandbox.paths import state_dir
    from sandbox.saved import read_json

    with suppress(SandboxError, KeyError, TypeError, ValueError):
        saved = read_json(state_dir() / "workshops" / workshop / "seats.json")
        return [f"seat{int(one['number']):02d}" for one in saved["seats"]]
    return []


def complete_side(incomplete: str) -> list[str]:
    """List the things that `diff` compares: sandboxes, files of facts, boxes."""
    files = _files(incomplete, lambda name: _is_box(name) or name.endswith(_FACTS))
    found = [*complete_name(incomplete), *_shipped(incomplete), *files]
    return list(dict.fromkeys(found))


def complete_facts(incomplete: str) -> list[str]:
    """List the files of facts."""
    return _files(incomplete, lambda name: name.endswith(_FACTS))


def complete_provider(incomplete: str) -> list[str]:
    """List the providers."""
    return _fitting(PROVIDERS, incomplete)


def complete_goal(incomplete: str) -> list[str]:
    """List the goals of checks."""
    return [goal for goal in _GOALS if goal.startswith(incomplete)]


def complete_base_source(incomplete: str) -> list[str]:
    """List the sources of base images."""
    return [source for source in _BASE_SOURCES if source.startswith(incomplete)]


def complete_export(incomplete: str) -> list[str]:
    """List the forms in which a lock's R packages are exported."""
    return _fitting(("renv",), incomplete)


def complete_sbom(incomplete: str) -> list[str]:
    """List the forms of a bill of materials."""
    return _fitting(("cyclonedx",), incomplete)


def complete_app(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the apps of the sandbox that was named before."""
    from sandbox.state import Instance

    with suppress(SandboxError):
        summary = Instance(str(ctx.params.get("name") or "")).summary()
        return _fitting(summary.apps, incomplete) if summary is not None else []
    return []


def complete_snapshot(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the snapshots of the sandbox that was named before, as its provider knows them."""
    from sandbox.cli.settings import place
    from sandbox.providers import load_provider
    from sandbox.providers.abilities import Snapshots
    from sandbox.state import Instance

    with suppress(SandboxError):
        summary = Instance(str(ctx.params.get("name") or "")).summary()
        engine = (
            load_provider(summary.provider).make_engine(place()) if summary is not None else None
        )
        if summary is not None and isinstance(engine, Snapshots):
            return _fitting((one.name for one in engine.snapshots(summary.name)), incomplete)
    return []


def _fitting(words: Iterable[str], incomplete: str) -> list[str]:
    return sorted(word for word in words if word.startswith(incomplete))


def _shipped(incomplete: str) -> list[str]:
    from sandbox.paths import data_dir

    names = (path.name for path in data_dir("boxes").glob("*.yml"))
    return _fitting((name.removesuffix(".yml") for name in names if _is_box(name)), incomplete)


def _is_box(name: str) -> bool:
    others = (_LOCK_SUFFIX, _WORKSHOP_SUFFIX)
    return name.endswith(_BOX_SUFFIXES) and not name.endswith(others)


def _files(incomplete: str, wanted: Callable[[str], bool]) -> list[str]:
    """Wanted files in the folder of the typed path; and its folders, which end with a slash."""
    above, _, start = incomplete.rpartition("/")
    typed = f"{above}/" if "/" in incomplete else ""
    folder = Path(typed or ".").expanduser()
    with suppress(OSError, RuntimeError), os.scandir(folder) as entries:
        return sorted(
            f"{typed}{entry.name}{'/' if entry.is_dir() else ''}"
            for entry in entries
            if entry.name.startswith(start)
            and (start.startswith(".") or not entry.name.startswith("."))
            and (entry.is_dir() or wanted(entry.name))
        )
    return []
