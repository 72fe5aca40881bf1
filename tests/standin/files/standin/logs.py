"""Writes log lines as the real server does, also to stderr."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .options import OptionError, below_root, config_dir, read_lines


def _settings() -> dict[str, str]:
    try:
        pairs = read_lines(config_dir() / "logging.conf")
    except OptionError:
        return {}
    return {key.rsplit(".", 1)[-1]: value for key, value in pairs}


class Log:
    """One program's log: a file, or stderr when logging.conf says so."""

    def __init__(
        self, program: str, folder: Path | None = None, *, to_stderr: bool = False
    ) -> None:
        settings = _settings()
        self._program = program
        self._to_stderr = to_stderr
        self._kind = settings.get("logger-type", "file")
        default = below_root("/var/log/rstudio/rstudio-server")
        self.path = Path(folder or settings.get("log-dir") or default) / f"{program}.log"

    def write(self, level: str, message: str) -> None:
        """Write one line; a log that cannot be written stops nothing."""
        now = time.time()
        moment = (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        )
        line = f"{moment} [{self._program}] {level} {message}\n"
        if self._to_stderr or self._kind == "stderr":
            sys.stderr.write(line)
            sys.stderr.flush()
        if self._kind == "stderr":
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            sys.stderr.write(f"{self.path}: {error}\n")

    def say_error(self, message: str) -> None:
        """Write an error."""
        self.write("ERROR", message)

    def say_warning(self, message: str) -> None:
        """Write a warning."""
        self.write("WARNING", message)

    def say_info(self, message: str) -> None:
        """Write what went well."""
        self.write("INFO", message)
