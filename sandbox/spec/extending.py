"""A file with all files that it extends, merged; each value still knows its file and line."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sandbox.plain_file import NO_SUCH_FILE, not_a_file
from sandbox.spec.file_kind import FileKind
from sandbox.spec.problem import Problem, code, near, short
from sandbox.spec.root import Root, real
from sandbox.spec.source import Value, read_source

SUFFIXES: Final = (".yml", ".yaml")
MAX_CHAIN: Final = 16
"""How many files may extend each other, one the next."""


@dataclass(frozen=True)
class Gathered:
    """A file with all files that it extends, merged."""

    top: Value | None
    problems: tuple[Problem, ...]
    complete: bool = True
    """False when an extended file cannot be read: missing values may be in that file."""
    strangers: frozenset[Path] = frozenset()
    """Files that are clearly something else: their text must not be shown."""
    files: tuple[Path, ...] = ()
    """The file itself, and all files that it extends."""


def shown(gathered: Gathered, kind: FileKind) -> list[Problem]:
    """Return the problems to show: of a file of another kind, only the place of the first one."""
    no_such = f"this does not look like a {kind.word}, so its text is not shown"
    what = f"A {kind.word} says {kind.says}, or `extends` another one"
    told = list[Problem]()
    met = set[Path]()
    for problem in sorted(gathered.problems, key=lambda one: one.line):
        if problem.path not in gathered.strangers or not problem.reveals:
            told.append(problem)
        elif problem.path not in met:
            met.add(problem.path)
            told.append(Problem(problem.path, problem.line, "", no_such, what))
    return told


def gather(path: Path, root: Root, kind: FileKind, chain: tuple[Path, ...] = ()) -> Gathered:
    """Read a file and all that it extends; a value of the file itself wins, key by key.

    Args:
        path: absolute.
        root: the folder that all these files must lie in.
        kind: what the files are meant as.
        chain: the files that led here.
    """
    parsed = read_source(path, kind)
    top = parsed.top
    problems = tuple(parsed.problems)
    strangers = frozenset[Path]() if parsed.is_meant else frozenset({path})
    said = top.get("extends") if top else None
    if top is None or said is None or not isinstance(said.content, str) or not said.content:
        return Gathered(top, problems, strangers=strangers, files=(path,))
    chain = (*chain, real(path))
    parent, problem = _parent(said, chain, root, kind)
    if parent is None:
        more = (problem,) if problem else ()
        return Gathered(top, (*problems, *more), complete=False, strangers=strangers)
    above = gather(parent, root, kind, chain)
    problems += above.problems
    strangers |= above.strangers
    if above.top is None:
        return Gathered(top, problems, complete=False, strangers=strangers)
    merged, files = _merge(above.top, top), (path, *above.files)
    return Gathered(merged, problems, above.complete, strangers, files)


def _parent(
    said: Value, chain: tuple[Path, ...], root: Root, kind: FileKind
) -> tuple[Path | None, Problem | None]:
    """The file that `extends` means, or the problem with it."""
    name = str(said.content)
    parent = said.as_path()
    if "/" not in name and not name.endswith(SUFFIXES):
        beside = parent.parent / f"{name}.yml"
        ours = {file.stem: file for file in kind.shipped()}
        parent = beside if not_a_file(beside) is None else ours.get(name, beside)
    if (refusal := root.refusal(said, parent)) is not None:
        return None, refusal
    if len(chain) > MAX_CHAIN:
        message = f"more than {MAX_CHAIN} {kind.many} extend each other in a chain"
        return None, said.problem(message, "Put what they say into fewer files")
    if (wrong := not_a_file(parent)) is None:
        parent = real(parent)
        if parent not in chain:
            return parent, None
        circle = " → ".join(short(file) for file in [*chain[chain.index(parent) :], parent])
        return None, said.problem(f"the {kind.many} extend each other in a circle: {circle}")
    absent = wrong == NO_SUCH_FILE  # anything else (a NUL in the name) no folder can be asked about
    siblings = [file.name for file in parent.parent.glob("*.y*ml")] if absent else []
    suggestion = near(name, [*siblings, *(file.stem for file in kind.shipped())])
    return None, said.problem(
        f"no {kind.word} at {code(name)}: {wrong} ({short(parent)})", suggestion
    )


def _merge(above: Value, own: Value) -> Value:
    """`own` over `above`: maps are merged, other values replaced; null takes back one above."""
    if not isinstance(above.content, dict) or not isinstance(own.content, dict):
        return own
    content = {key: value for key, value in above.content.items() if key != "extends"}
    for key, value in own.content.items():
        if value.content is None:
            content.pop(key, None)
        else:
            content[key] = _merge(content.get(key, replace(value, content={})), value)
    return replace(own, content=content)
