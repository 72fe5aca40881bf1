"""Refuse to lock a box whose R is another one every day, with the line that says so."""

from collections.abc import Iterator

from sandbox.plan import Plan
from sandbox.spec.problem import Problem, box_error
from sandbox.spec.r import MOVING
from sandbox.spec.source import Value, read_source


def refuse_moving(plan: Plan) -> None:
    """Refuse `devel` and `next`.

    Raises:
        BoxError: with file and line.
    """
    moving = [one.version for one in plan.rs if one.is_moving]
    if not moving:
        return
    problems = list(_problems(plan))
    if not problems:
        words = f"R {moving[0]} is another one every day, which no lock can hold"
        problems = [Problem(plan.box_path, 0, "r.version", words)]
    raise box_error(problems, plan.box_path)


def _problems(plan: Plan) -> Iterator[Problem]:
    for path in plan.box_files or (plan.box_path,):
        top = read_source(path).top
        for value in _versions(top) if top is not None else ():
            if value.content in MOVING:
                yield value.problem(
                    f"R {value.content} is another one every day, which no lock can hold",
                    'Name a release in quotes, such as "4.4.1"',
                )


def _versions(top: Value) -> Iterator[Value]:
    places = [top.get("r", "version")]
    versions = top.get("r", "versions")
    if versions is not None and isinstance(versions.content, list):
        places += [one.get("version") for one in versions.content]
    yield from (one for one in places if one is not None)
