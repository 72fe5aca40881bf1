"""Answers of a server, damaged: what a stranger, a broken disk or an odd locale may make of them.

    python -m tests.fuzz_answers 10000 [SEED]

damages the recorded answers so many times and says what came of each: facts, or a section's name.
Anything else is a bug: it is printed with the number of the case, and the exit status is 1.
"""

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from sandbox.facts import registry
from sandbox.facts.answer import facts_of
from sandbox.facts.facts import Facts
from sandbox.probe.frame import CutOffError
from sandbox.probe.readers import SectionError

BOUNDARY = "BOUNDARY"
NAMES = ("broken", "plain", "worker")
_DATA = Path(__file__).with_name("unit") / "facts" / "data"
_HEAD = f"{BOUNDARY}\tsection\t".encode()
_ODD = (
    b"nan", b"-1", b"", b" ", b"0", b"1e9", b"99999", b"4294967296", b"9" * 400, b"9" * 5000,
    b"0x10", b"\xd9\xa3", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b]0;owned\x07", b"\x1b[2J",
    b"\xc2\x9b31m", b"\xe2\x80\xae", b"TRUE", b"NA", b"unlimited", b"*", b"/", b"../..", b"%s",
    b"<script>", b"$(id)", b"'; id", b"x" * 5000, b"a\tb\tc", b":::::::::", b"\\", b"\\u0000",
)  # fmt: skip

Chunks = list[bytes]
"""The head of each section with its lines; first what stands before them all."""


def recorded(name: str) -> bytes:
    """What the probe once printed."""
    return (_DATA / f"{name}.txt").read_bytes()


def _chunks(text: bytes) -> Chunks:
    return re.split(rb"(?m)^(?=%s)" % re.escape(_HEAD), text)


def section_of(chunk: bytes) -> str:
    """The name in a section's head."""
    head = chunk.partition(b"\n")[0].split(b"\t")
    return head[2].decode("utf-8", "replace") if len(head) > 2 else ""


def _lines(rng: random.Random, chunk: bytes, change: Callable[[list[bytes], int], None]) -> bytes:
    lines = chunk.split(b"\n")
    change(lines, rng.randrange(len(lines)))
    return b"\n".join(lines)


def _fields(rng: random.Random, line: bytes, change: Callable[[list[bytes], int], None]) -> bytes:
    separator = rng.choice([one for one in (b"\t", b":", b" ", b"=") if one in line] or [b"\t"])
    fields = line.split(separator)
    change(fields, rng.randrange(len(fields)))
    return separator.join(fields)


def _flip(rng: random.Random, chunk: bytes) -> bytes:
    at = rng.randrange(len(chunk))
    return chunk[:at] + bytes([chunk[at] ^ (1 << rng.randrange(8))]) + chunk[at + 1 :]


def _insert(rng: random.Random, chunk: bytes) -> bytes:
    at = rng.randrange(len(chunk) + 1)
    return chunk[:at] + rng.choice((b"\n", b"\t", *_ODD)) + chunk[at:]


def _cut(rng: random.Random, chunk: bytes) -> bytes:
    at = rng.randrange(len(chunk))
    return chunk[:at] + chunk[at + rng.randrange(1, 40) :]


def _truncate(rng: random.Random, chunk: bytes) -> bytes:
    return chunk[: rng.randrange(len(chunk))] + b"\n"


def _drop_line(rng: random.Random, chunk: bytes) -> bytes:
    return _lines(rng, chunk, lambda lines, at: lines.__delitem__(at))


def _double_line(rng: random.Random, chunk: bytes) -> bytes:
    times = rng.choice((1, 1, 2, 300))
    return _lines(
        rng, chunk, lambda lines, at: lines.__setitem__(slice(at, at), [lines[at]] * times)
    )


def _swap_lines(rng: random.Random, chunk: bytes) -> bytes:
    lines = chunk.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


def _odd_line(rng: random.Random, chunk: bytes) -> bytes:
    odd = rng.choice(_ODD)
    return _lines(rng, chunk, lambda lines, at: lines.__setitem__(at, odd))


def _odd_field(rng: random.Random, chunk: bytes) -> bytes:
    odd = rng.choice(_ODD)

    def one(lines: list[bytes], at: int) -> None:
        lines[at] = _fields(rng, lines[at], lambda fields, i: fields.__setitem__(i, odd))

    return _lines(rng, chunk, one)


def _drop_field(rng: random.Random, chunk: bytes) -> bytes:
    def one(lines: list[bytes], at: int) -> None:
        lines[at] = _fields(rng, lines[at], lambda fields, i: fields.__delitem__(i))

    return _lines(rng, chunk, one)


def _double_field(rng: random.Random, chunk: bytes) -> bytes:
    def one(lines: list[bytes], at: int) -> None:
        lines[at] = _fields(rng, lines[at], lambda fields, i: fields.insert(i, fields[i]))

    return _lines(rng, chunk, one)


_INSIDE = (
    _flip, _insert, _cut, _truncate, _drop_line, _double_line, _swap_lines, _odd_line, _odd_field,
    _odd_field, _odd_field, _drop_field, _double_field,
)  # fmt: skip


def _drop_section(rng: random.Random, chunks: Chunks) -> None:
    del chunks[rng.randrange(len(chunks))]


def _double_section(rng: random.Random, chunks: Chunks) -> None:
    chunks.insert(rng.randrange(len(chunks)), rng.choice(chunks))


def _swap_sections(rng: random.Random, chunks: Chunks) -> None:
    one, other = rng.randrange(len(chunks)), rng.randrange(len(chunks))
    chunks[one], chunks[other] = chunks[other], chunks[one]


def _other_body(rng: random.Random, chunks: Chunks) -> None:
    """The head of one section over the lines of another."""
    at = rng.randrange(len(chunks))
    head = chunks[at].partition(b"\n")[0]
    chunks[at] = head + b"\n" + rng.choice(chunks).partition(b"\n")[2]


def _empty_section(rng: random.Random, chunks: Chunks) -> None:
    at = rng.randrange(len(chunks))
    chunks[at] = chunks[at].partition(b"\n")[0] + b"\n"


_WHOLE = (_drop_section, _double_section, _swap_sections, _other_body, _empty_section)


def damaged(number: int, seed: int = 0) -> tuple[str, bytes, frozenset[str]]:
    """Case `number`: the recording it was made of, the text, and the sections that were touched.

    `*` among the names: the order or the number of sections is another.
    """
    rng = random.Random(f"{seed}/{number}")
    name = rng.choice(NAMES)
    chunks = _chunks(recorded(name))
    touched = set()
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if rng.random() < 0.2:
            rng.choice(_WHOLE)(rng, chunks)
            touched.add("*")
            continue
        at = rng.randrange(len(chunks))
        before, chunks[at] = chunks[at], rng.choice(_INSIDE)(rng, chunks[at] or b"\n")
        # A damaged head makes the section before it longer
        heads = (before.partition(b"\n")[0], chunks[at].partition(b"\n")[0])
        added = chunks[at].count(_HEAD) > 1
        touched.add(section_of(before) if heads[0] == heads[1] and not added else "*")
    return name, b"".join(chunks), frozenset(touched)


PARTS = {
    "run": ("probe",),
    "identity": ("identity",),
    "os-release": ("os",),
    "uname": ("os",),
    "virtualization": ("os",),
    "locale-settings": ("locale",),
    "locales": ("locale",),
    "localtime": ("timezone",),
    "machine": ("machine",),
    "services": ("services",),
    "ss": ("ports",),
    "passwd": ("users",),
    "group": ("users",),
    "shadow": ("users",),
    "sudo": ("users",),
    "sshd": ("sshd",),
    "authorized-keys": ("authorized_keys",),
    "shiny-server": ("shiny_server",),
    "dpkg": ("system_packages", "linked_libraries"),
    "r-found": ("r",),
    "r-view": ("r", "unresolved_objects", "linked_libraries", "system_packages", "not_seen"),
    "r-failed": ("r", "not_seen"),
    "worker-limits": ("r",),
    "not-seen": ("not_seen",),
    "root": ("probe", "users", "not_seen"),
    "root-end": ("not_seen",),
}
"""What in the facts each section says."""
NOT_IN_THEM = frozenset(registry.sections()) - frozenset(PARTS)
"""Sections that the recordings do not have."""


@cache
def _undamaged(name: str) -> Facts:
    return facts_of(recorded(name).decode(), BOUNDARY, where="prod")


def judged(name: str, text: bytes, touched: frozenset[str]) -> tuple[str, list[str]]:
    """How it ends (`facts`, `cut off`, the section refused), and what is wrong with that."""
    try:
        facts = facts_of(text.decode("utf-8", "replace"), BOUNDARY, where="prod")
    except CutOffError:
        return "cut off", []
    except SectionError as error:
        known = error.section in {*PARTS, *NOT_IN_THEM} and f"`{error.section}`" in error.message
        return f"refused: {error.section}", [] if known else [f"no section: {error.message}"]
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what we look for)
        return "a bug", [f"{type(error).__name__}: {error}"]
    return "facts", list(_untrue(name, facts, touched))


def _untrue(name: str, facts: Facts, touched: frozenset[str]) -> Iterator[str]:
    if Facts.model_validate_json(facts.model_dump_json()) != facts:
        yield "the facts are not the same after a trip through JSON"
    if "*" in touched:
        return
    whole = _undamaged(name)
    may_differ = {part for section in touched for part in PARTS.get(section, ())}
    now, before = facts.model_dump(), whole.model_dump()
    for part in before:
        if part not in may_differ and now[part] != before[part]:
            yield f"{part} differs, and {', '.join(sorted(touched))} was touched"


def _main(count: int, seed: int) -> int:
    seen: Counter[str] = Counter()
    bad = 0
    for number in range(count):
        name, text, touched = damaged(number, seed)
        end, wrong = judged(name, text, touched)
        for line in wrong:
            sys.stdout.write(f"case {number} of seed {seed} ({name}): {line}\n")
        bad += bool(wrong)
        seen[end] += 1
    for what, times in seen.most_common():
        sys.stdout.write(f"{times:7d}  {what}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    count, seed = (*map(int, sys.argv[1:]), *(10_000, 0)[len(sys.argv) - 1 :])
    sys.exit(_main(count, seed))
