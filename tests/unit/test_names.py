"""One name for one thing: no two classes of the program are called the same."""

import re
from collections import Counter
from pathlib import Path

import sandbox

_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)


def test_no_two_classes_have_one_name() -> None:
    sources = Path(sandbox.__file__).parent.rglob("*.py")
    names = Counter(
        name for path in sources for name in _CLASS.findall(path.read_text(encoding="utf-8"))
    )
    assert len(names) > 300
    assert [name for name, count in names.items() if count > 1] == []
