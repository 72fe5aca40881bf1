"""`sandbox capture`: read a production server, and write a box and its facts, both or neither."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.capture.read import read_host
from sandbox.capture.review import NotTaken, not_taken
from sandbox.capture.write_box import CapturedBox, default_name, write_box
from sandbox.errors import HostError, UsageError
from sandbox.events import Listener, step
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.subjects.r import RInstallations
from sandbox.files import write_whole
from sandbox.probe.keys import keep_key
from sandbox.probe.script import Taking
from sandbox.probe.untaken import new_key
from sandbox.spec.bases import load_bases


@dataclass(frozen=True)
class Captured:
    """The files that `capture` wrote."""

    box_path: Path
    facts_path: Path
    facts: Facts
    box: CapturedBox
    beside: tuple[Path, ...] = ()
    """Files that the box names: locks of R packages."""
    not_taken: tuple[NotTaken, ...] = ()
    """Values that stayed on the server."""


Review = Callable[[Sequence[NotTaken]], Sequence[str]]
"""Gets the values that were not taken; returns which to take: names, paths of whole files."""


def capture(
    target: str,
    output: Path | None,
    room: Room,
    listener: Listener,
    *,
    use_sudo: bool = False,
    overwrite: bool = False,
    timeout_s: float = 60,
    ssh_config: Path | None = None,
    take_names: Sequence[str] = (),
    take_files: Sequence[str] = (),
    review: Review | None = None,
) -> Captured:
    """Read `[USER@]HOST`; write NAME.yml, NAME.facts.json and locks of R packages.

    Args:
        target: as the user's ssh knows the host.
        output: the box file; by default the host's name in the working folder.
        room: the most that the computer with the sandbox can give it.
        listener: gets the steps.
        use_sudo: become root there by `sudo -n`.
        overwrite: replace files that are there.
        timeout_s: for all that happens on the host.
        ssh_config: an ssh_config instead of the user's own.
        take_names: variables, options and keys to take with their values, whatever these are.
        take_files: paths of files on the host to take whole.
        review: asked before anything is written, when some values were not taken.

    Raises:
        UsageError: the name is not a host, or a file is there already; nothing was written.
        HostError: the host cannot be read; nothing was written.
    """
    name = default_name(target)
    box_path = output if output is not None else Path(f"{name}.yml")
    facts_path = box_path.with_name(f"{box_path.stem}.facts.json")
    _refuse_paths((box_path, facts_path), overwrite=overwrite)
    taking = Taking(key=new_key(), names=tuple(take_names), files=tuple(take_files))

    def read(taking: Taking) -> Facts:
        with step(listener, name, f"read {target}") as note:
            facts = read_host(
                target, taking=taking, use_sudo=use_sudo, timeout_s=timeout_s, config=ssh_config
            )
            note.text = _summary(facts)
        return facts

    facts = read(taking)
    if review is not None and (left := not_taken(facts)) and (wanted := tuple(review(left))):
        facts = read(_taking_more(taking, wanted))
    box = write_box(facts, source=target, facts_file=facts_path.name, bases=load_bases(), room=room)
    beside = tuple(box_path.with_name(one.name) for one in box.files)
    _refuse_paths(beside, overwrite=overwrite)
    if taking.key is not None:
        keep_key(taking.key)
    # The box last: one that names missing facts or locks is wrong
    for path, one in zip(beside, box.files, strict=True):
        _write(path, one.text)
    _write(facts_path, facts.model_dump_json(indent=1) + "\n")
    _write(box_path, box.text)
    return Captured(box_path, facts_path, facts, box, beside, not_taken(facts))


def _taking_more(taking: Taking, wanted: tuple[str, ...]) -> Taking:
    files = tuple(one for one in wanted if one.startswith("/"))
    names = tuple(one for one in wanted if one not in files)
    return replace(taking, names=(*taking.names, *names), files=(*taking.files, *files))


def _summary(facts: Facts) -> str:
    packages = sum(len(view.packages) for one in facts[RInstallations] for view in one.views[:1])
    found = f"{packages} R packages" if facts[RInstallations] else "there is no R"
    left = len(not_taken(facts))
    return f"{found}, {len(facts.not_seen)} things not seen, {left} values not taken"


def _refuse_paths(paths: tuple[Path, ...], *, overwrite: bool) -> None:
    for path in paths:
        if not path.absolute().parent.is_dir():
            raise UsageError(f"the folder of {path} is not there")
        if path.suffix not in (".yml", ".yaml", ".json", ".lock"):
            raise UsageError(f"a box is a .yml file, and {path} is not")
        if path.exists() and not overwrite:
            raise UsageError(
                f"{path} is there already", hint="-o OTHER.yml, or --force to write it again"
            )


def _write(path: Path, text: str) -> None:
    """Write a file readable by its owner alone: it tells much about a server."""
    try:
        write_whole(path, text)
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}") from error
