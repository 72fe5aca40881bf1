"""Code of a box that would run on this host: it runs only after somebody has agreed to it.

A user agrees to a file at its place with exactly this content, or to everything in a folder. Our
own files need no agreement. The bytes that the user agreed to are handed on, and only these bytes
may be run, even if the file changes a moment later. All code that a box can make this host run
goes through `agreed_code`.
"""

import hashlib
import io
import os
import shlex
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import UsageError
from sandbox.paths import data_dir
from sandbox.plain_file import NotPlainError, read_plain

MAX_CODE_BYTES: Final = 256 * 1024
"""The largest file: nobody reads more than that before agreeing."""


@dataclass(frozen=True)
class HostCode:
    """A file of a box, read once: the same bytes are shown, hashed, agreed to and run."""

    path: Path
    """Absolute, links resolved."""
    content: bytes

    @property
    def sha256(self) -> str:
        """The hash of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def text(self) -> str:
        """The content, to be shown; it may hold characters that move a terminal's cursor."""
        return self.content.decode("utf-8-sig")


Ask = Callable[[HostCode, str], bool]
"""Shows the code and its purpose, and returns whether the person agrees."""


@dataclass(frozen=True)
class Consent:
    """How this run may get somebody's agreement."""

    ask: Ask | None = None
    """Asks the person; None where there is nobody to ask."""
    is_given: bool = False
    """Set by `--trust`: all that this run needs is agreed to, and remembered."""


def agreed_code(
    files: Sequence[Path], box: Path, purpose: str, consent: Consent
) -> tuple[HostCode, ...]:
    """Get agreement to the code in `files`: asks the person if possible, and remembers the answer.

    Args:
        files: Python files, absolute; a file that is not there is passed over.
        box: the box file that names them.
        purpose: why they are run, such as "checks of the box".
        consent: how to get agreement.

    Raises:
        UsageError: one is not agreed to; none of them may be run.
        HostError: the earlier agreements cannot be read.
    """
    found = tuple(read_code(path) for path in files if path.exists())
    if not found:
        return ()
    from sandbox.trust_store import TrustStore

    store = TrustStore()
    for code in found:
        if _is_shipped(code.path, box) or store.knows(code):
            continue
        if not consent.is_given:
            _get_consent(code, purpose, consent)
        store.remember(code)
    return found


def read_code(path: Path) -> HostCode:
    """Read a Python file that a person can read before it runs.

    Raises:
        UsageError: it cannot be read, or Python would read it in another way than it is shown.
    """
    try:
        content = read_plain(path, max_bytes=MAX_CODE_BYTES)
    except NotPlainError as error:
        raise UsageError(
            f"{path} cannot be run: {error}", hint="name a plain Python file"
        ) from None
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        content.decode("utf-8")
    except (SyntaxError, UnicodeDecodeError):
        encoding = "unknown"
    if encoding not in {"utf-8", "utf-8-sig"}:
        raise UsageError(
            f"{path} cannot be agreed to: its text is not UTF-8",
            details="in another encoding Python may run what nobody sees when it is shown",
            hint="save it as UTF-8, without a line `coding:`",
        )
    return HostCode(Path(os.path.realpath(path)), content)


def _get_consent(code: HostCode, purpose: str, consent: Consent) -> None:
    if consent.ask is None:
        raise UsageError(
            f"nobody has agreed yet that {code.path} runs on this host ({purpose})",
            details=f"sha256 {code.sha256}\nnothing was touched",
            hint=f"read it, then: sandbox trust {shlex.quote(str(code.path))}, or say --trust",
        )
    if not consent.ask(code, purpose):
        raise UsageError(
            f"{code.path} does not run on this host: you did not agree",
            details="nothing was touched",
            hint="take it out of `checks.files:` of the box, or agree to it",
        )


def _is_shipped(path: Path, box: Path) -> bool:
    ours = Path(os.path.realpath(data_dir("boxes")))
    return path.is_relative_to(ours) and Path(os.path.realpath(box)).is_relative_to(ours)
