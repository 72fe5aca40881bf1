"""Compare two machines: each may be a sandbox, a file of facts, a box or an ssh host."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.capture.read import read_host
from sandbox.errors import UsageError
from sandbox.events import step
from sandbox.facts.diff import compare
from sandbox.facts.differences import Diff, Selection
from sandbox.facts.facts import Facts
from sandbox.facts.files import load_facts
from sandbox.facts.hashes import NO_HASHES, Hashes
from sandbox.facts.sides import Side, side_of_plan
from sandbox.plan import Plan
from sandbox.probe.keys import find_key
from sandbox.probe.script import Taking
from sandbox.probe.untaken import HashKey, new_key
from sandbox.resolving import resolve
from sandbox.spec.catalogue import list_boxes
from sandbox.spec.extending import SUFFIXES
from sandbox.spec.load import load_box
from sandbox.state import Instance
from sandbox.workflows.context import Context


@dataclass(frozen=True)
class SshOptions:
    """How to read an ssh host."""

    use_sudo: bool = False
    timeout_s: float = 60
    config: Path | None = None
    """An ssh_config instead of the user's own."""

    def read(self, host: str, key: HashKey) -> Facts:
        """Read the facts of `[USER@]HOST`, with hashes by `key` for values that are not taken."""
        return read_host(
            host,
            taking=Taking(key=key),
            use_sudo=self.use_sudo,
            timeout_s=self.timeout_s,
            config=self.config,
        )


def diff(
    a: str,
    b: str,
    selection: Selection,
    context: Context,
    *,
    cwd: Path,
    ssh: SshOptions = SshOptions(),
    root: Path | None = None,
) -> Diff:
    """Compare two machines.

    Raises:
        UsageError: one of them is not one of the four things.
        BoxError: a box is wrong.
        HostError: a host cannot be read.
    """
    sides = []
    key = _key_for((a, b), cwd=cwd)
    for word in (a, b):
        with step(context.listener, word, f"read {word}"):
            made = _made((a, b))
            side = side_of(word, context, cwd=cwd, ssh=ssh, key=key, root=root, made=made)
            sides.append(side)
    return compare(sides[0], sides[1], selection)


def _key_for(words: tuple[str, str], *, cwd: Path) -> HashKey | None:
    """The key of the facts in a file, for reading and comparing the other side.

    None for a file of which this host does not have the key.
    """
    files = [word for word in words if word.endswith(".json")]
    found = [find_key(load_facts(cwd / word).hash_key) for word in files]
    return next((one for one in found if one is not None), None) if files else new_key()


def side_of(
    word: str,
    context: Context,
    *,
    cwd: Path,
    ssh: SshOptions = SshOptions(),
    key: HashKey | None = None,
    root: Path | None = None,
    made: Sequence[Plan] = (),
) -> Side:
    """Find what a word means: a file of facts, a box file, a sandbox, a shipped box or an ssh host.

    Of a box, `made` are plans of sandboxes that were made of it perhaps: they know which files were
    fetched for what it asks for.

    Raises:
        UsageError: it is none of them.
    """
    path = cwd / word
    hashes = Hashes(key=key.digits) if key is not None else NO_HASHES
    key = key if key is not None else new_key()
    if word.endswith(".json"):
        return Side(name=word, facts=load_facts(path))
    if word.endswith(SUFFIXES):
        return side_of_plan(_plan_of(path, root, context, made), hashes)
    if "@" not in word and "/" not in word and Instance(word).read() is not None:
        return Side(name=word, facts=context.guest_named(word).probe(key))
    if "@" not in word:
        for entry in list_boxes(cwd):
            if entry.name == word:
                return side_of_plan(_plan_of(entry.path, root, context, made), hashes)
    if "/" in word or path.exists():
        raise UsageError(
            f"`{word}` is neither a sandbox, a file of facts (.json), a box (.yml), nor a host"
        )
    return Side(name=word, facts=ssh.read(word, key))


def _made(words: Sequence[str]) -> list[Plan]:
    """The plans of the sandboxes among the words."""
    names = [word for word in words if "@" not in word and "/" not in word]
    names = [name for name in names if not name.endswith((".json", *SUFFIXES))]
    records = (Instance(name).read() for name in names)
    return [record.plan for record in records if record is not None]


def _plan_of(path: Path, root: Path | None, context: Context, made: Sequence[Plan]) -> Plan:
    plan = resolve(load_box(path, root=root), context.user_config().mirrors)
    same = (one for one in made if one.request_key == plan.request_key)
    found = next(same, None)
    return plan.with_materials(found.materials) if found is not None else plan
