"""The disk of a VM that does not run, read without mounting it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.images.tools import tool_path

PARTITION = "?offset=1048576"


@dataclass(frozen=True)
class RawDisk:
    """A disk as a raw file; what is asked for is in its root file system."""

    path: Path

    @classmethod
    def of(cls, image: Path, path: Path) -> "RawDisk":
        """Copy a disk of any format, with those that it depends on, to the raw file `path`."""
        subprocess.run(["qemu-img", "convert", "-O", "raw", image, path], check=True)
        return cls(path)

    def ask(self, command: str) -> str:
        """One debugfs command; nothing is mounted."""
        done = subprocess.run(
            ["debugfs", "-R", command, f"{self.path}{PARTITION}"],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            env={**os.environ, "PATH": tool_path()},
        )
        return done.stdout

    def read(self, path: str) -> str:
        return self.ask(f"cat {path}")

    def names(self, folder: str) -> set[str]:
        """What is in a folder; empty when there is no such folder."""
        entries = (line.split("/") for line in self.ask(f"ls -p {folder}").splitlines())
        return {entry[5] for entry in entries if len(entry) > 5} - {".", ".."}
