"""Shiny Server's configuration, parsed lightly: what it listens on, serves, and runs apps as."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sandbox.probe.facts_setup import ShinyListen, ShinyServer, ShinyStatement
from sandbox.probe.frame import Frame
from sandbox.probe.readers import PORTS, whole

# A placeholder is one word: the `#` of its hash begins no comment
_TOKEN = re.compile(
    r"""(?P<hidden><not\ taken:\ [^>\n]*>)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\#[^\n]*
    |(?P<stop>[{};])|(?P<bare>[^\s{};"'\#]+)""",
    re.VERBOSE | re.DOTALL,
)
_DEEPEST = 20


def parse_shiny_server(frame: Frame) -> ShinyServer | None:
    """Its settings; None where there is no Shiny Server."""
    section = frame.first("shiny-server")
    if section is None:
        return None
    path, target, version = (*section.args, "", "", "")[:3]
    found = tuple(statements(section.text))
    return ShinyServer(
        version=version or None,
        config_path=path,
        config_target=target or path,
        run_as=_all(found, "run_as"),
        listens=tuple(_listens(found)),
        site_dirs=_all(found, "site_dir"),
        app_dirs=_all(found, "app_dir"),
        log_dirs=_all(found, "log_dir"),
        statements=found,
    )


def statements(text: str) -> Iterator[ShinyStatement]:
    """Each statement with the blocks that it stands in; a block is a statement too."""
    within: list[str] = []
    seen: list[Counter[str]] = [Counter()]
    words: list[str] = []
    for found in _TOKEN.finditer(text):
        stop = found["stop"]
        if stop is None:
            # A comment matches none of the groups
            words += [word for word in found.groups() if word is not None]
            continue
        if words:
            yield _statement(within, words, block=stop == "{")
        if stop == "{":
            head = " ".join(words)
            seen[-1][head] += 1
            again = seen[-1][head]
            if len(within) < _DEEPEST:
                within.append(f"{head} #{again}" if again > 1 else head)
                seen.append(Counter())
        elif stop == "}" and within:
            within.pop()
            seen.pop()
        words = []
    if words:
        yield _statement(within, words, block=False)


def _statement(within: Sequence[str], words: Sequence[str], *, block: bool) -> ShinyStatement:
    name, *rest = words
    return ShinyStatement(within=tuple(within), name=name, words=tuple(rest), block=block)


def _all(found: Sequence[ShinyStatement], name: str) -> tuple[str, ...]:
    """Every argument of every `name`, each once, in order."""
    words = (word for one in found if one.name == name for word in one.words)
    return tuple(dict.fromkeys(words))


def _listens(found: Sequence[ShinyStatement]) -> Iterator[ShinyListen]:
    for one in found:
        if one.name == "listen" and one.words and one.words[0].isdecimal():
            address = one.words[1] if len(one.words) > 1 else None
            port = whole(one.words[0], "a port to listen on", within=PORTS)
            yield ShinyListen(port=port, address=None if address == "*" else address)
