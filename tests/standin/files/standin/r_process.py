"""Runs a real R, and turns what it writes into events of the console."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from .find_r import FoundR
from .options import Options

DRIVER = Path(__file__).resolve().parent.parent / "R" / "standin.R"
_BEGIN = re.compile(rb"\x02(\d+)\n")
_END = re.compile(rb"\x03(\d+)\n")


def _quoted(text: str) -> str:
    """Write a text as R's source has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class RProcess:
    """R with its input, and a thread that reads its output."""

    def __init__(
        self, found: FoundR, libraries: str, options: Options, emit: Callable[[str, object], None]
    ) -> None:
        self._emit = emit
        self._number = 0
        self._folder = tempfile.TemporaryDirectory(prefix="rstudio-standin-")
        self._write_lock = threading.Lock()
        env = self._environment(found, libraries, options)
        self.process = subprocess.Popen(
            [f"{found.home}/bin/exec/R", "--interactive", "--no-readline", "--no-save",
             "--no-restore"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
            cwd=options.text("session-default-working-dir") or None, bufsize=0,
        )  # fmt: skip
        problem = found.engine_problem()
        place = _quoted(options.text("r-cran-repos"))
        self._send(
            'local({e <- attach(NULL, name = "tools:rstudio");'
            f"sys.source({_quoted(str(DRIVER))}, envir = e);"
            f"e$.rs.standin.begin({place}, {_quoted(problem)})}})\n"
        )
        self._problem = problem

    @staticmethod
    def _environment(found: FoundR, libraries: str, options: Options) -> dict[str, str]:
        """Set what R's own script would set, but not what etc/ldpaths would: as RStudio does."""
        hidden = ("RSTUDIO_STANDIN_ROOT", "RSTUDIO_CONFIG_DIR")
        env = {key: value for key, value in os.environ.items() if key not in hidden}
        paths = [f"{found.home}/lib", libraries, env.get("LD_LIBRARY_PATH", "")]
        env.update(
            R_HOME=found.home, R_SHARE_DIR=found.share, R_INCLUDE_DIR=found.include,
            R_DOC_DIR=found.doc, RSTUDIO="1", RSTUDIO_USER_IDENTITY=env.get("USER", ""),
            RSTUDIO_PROGRAM_MODE="server", TERM="dumb",
            LD_LIBRARY_PATH=":".join(path for path in paths if path),
        )  # fmt: skip
        if user_library := options.text("r-libs-user"):
            env["R_LIBS_USER"] = user_library
        return env

    def _send(self, text: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(text.encode())
        except BrokenPipeError:
            return

    def run(self, code: str) -> None:
        """Give R code to run; its output comes as events."""
        with self._write_lock:
            self._number += 1
            path = Path(self._folder.name) / f"{self._number}.R"
            path.write_text(code + "\n", encoding="utf-8")
            self._send(f".rs.standin.run({_quoted(str(path))}, {self._number})\n")

    def read_all(self) -> None:
        """Read R's output until R ends; to be run in a thread of its own."""
        assert self.process.stdout is not None
        held, inside, greeted = b"", False, False
        while piece := os.read(self.process.stdout.fileno(), 65536):
            held += piece
            while True:
                mark = (_END if inside else _BEGIN).search(held)
                if mark is None:
                    break
                before, held = held[: mark.start()], held[mark.end() :]
                if inside or not greeted:
                    # Outside there are R's prompts and nothing else, once it has greeted
                    self._output(before if inside else before.rstrip().removesuffix(b">"))
                inside, greeted = not inside, True
                self._emit("busy", inside)
                if not inside:
                    self._emit("console_prompt", {"prompt": "> "})
            if inside and b"\x03" not in held:
                self._output(held)
                held = b""
        self._output(held if inside else b"")
        self.process.wait()
        self._emit("quit", {"status": self.process.returncode})

    def _output(self, data: bytes) -> None:
        if text := data.decode("utf-8", errors="replace"):
            self._emit("console_output", {"text": text})

    def interrupt(self) -> None:
        """Send R what Ctrl-C sends."""
        self.process.send_signal(2)

    def end(self, code: int | None = None) -> None:
        """End R; `code` is a signal, else R is asked to quit."""
        if code is None:
            self._send("q('no')\n")
        elif self.process.poll() is None:
            self.process.send_signal(code)
