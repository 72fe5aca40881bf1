"""What this user has agreed to run on this host: `trusted.json` in the state folder."""

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.errors import HostError, UsageError
from sandbox.files import private_folder, write_whole
from sandbox.locks import hold
from sandbox.paths import homes, state_dir
from sandbox.plain_file import NotPlainError, read_plain
from sandbox.trust import HostCode, read_code

_MAX_STORE_BYTES = 16 * 1024 * 1024
_KEPT_HASHES = 20


class Trusted(BaseModel):
    """The content of the store's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    files: dict[str, tuple[str, ...]] = {}
    """The sha256 of each content that was agreed to, by absolute path; the newest last."""
    folders: tuple[str, ...] = ()
    """Absolute paths: everything in these folders is agreed to."""


class TrustStore:
    """The user's agreements: `trusted.json` in the state folder."""

    def __init__(self) -> None:
        self.path = state_dir() / "trusted.json"

    def read(self) -> Trusted:
        """Read all agreements.

        Raises:
            HostError: the file is damaged, or others than its owner can write it.
        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return Trusted()
        hint = f"look at it, then: rm {shlex.quote(str(self.path))}; you are asked again"
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise HostError(f"others could have written {self.path}", hint=hint)
        try:
            return Trusted.model_validate_json(read_plain(self.path, max_bytes=_MAX_STORE_BYTES))
        except (NotPlainError, ValidationError) as error:
            what = "it is damaged" if isinstance(error, ValidationError) else str(error)
            raise HostError(
                "what you agreed to cannot be read", details=f"{self.path}: {what}", hint=hint
            ) from error

    def knows(self, code: HostCode) -> bool:
        """Tell whether this content is agreed to at this place, or by a folder around it."""
        known = self.read()
        if code.sha256 in known.files.get(str(code.path), ()):
            return True
        return any(code.path.is_relative_to(folder) for folder in known.folders)

    def remember(self, code: HostCode) -> None:
        """Agree to this content at this place."""
        with self._changing() as known:
            old = [one for one in known.files.get(str(code.path), ()) if one != code.sha256]
            hashes = (*old, code.sha256)[-_KEPT_HASHES:]
            self._write(known.model_copy(update={"files": {**known.files, str(code.path): hashes}}))

    def add(self, path: Path) -> Path:
        """Agree to a file with its present content, or to everything in a folder, now and later.

        Returns:
            The path that is remembered, links resolved.

        Raises:
            UsageError: the path does not exist, or the folder holds too much.
        """
        real = Path(os.path.realpath(path))
        if not real.is_dir():
            code = read_code(path)
            self.remember(code)
            return code.path
        if real == Path("/") or any(home.is_relative_to(real) for home in homes()):
            raise UsageError(
                f"{real} holds all that you ever download", hint="name the folder of your boxes"
            )
        with self._changing() as known:
            folders = tuple(sorted({*known.folders, str(real)}))
            self._write(known.model_copy(update={"folders": folders}))
        return real

    def remove(self, path: Path) -> bool:
        """Take back an agreement; return whether there was one."""
        names = {str(path.absolute()), os.path.realpath(path)}
        with self._changing() as known:
            files = {name: hashes for name, hashes in known.files.items() if name not in names}
            folders = tuple(folder for folder in known.folders if folder not in names)
            left = known.model_copy(update={"files": files, "folders": folders})
            if left == known:
                return False
            self._write(left)
            return True

    @contextmanager
    def _changing(self) -> Iterator[Trusted]:
        """Let one command write at a time: two must not lose each other's agreements."""
        with hold(private_folder(self.path.parent, self.path.parent)):
            yield self.read()

    def _write(self, known: Trusted) -> None:
        write_whole(self.path, json.dumps(known.model_dump(mode="json"), indent=1) + "\n")
