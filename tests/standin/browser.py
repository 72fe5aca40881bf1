"""Drives a headless Chromium over its debugging pipe."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-pipe",
)  # fmt: skip


class BrowserError(Exception):
    """Chromium refuses what it was asked."""


class Browser:
    """One tab."""

    def __init__(self, reading: int, writing: int) -> None:
        self._input = os.fdopen(reading, "rb", buffering=0)
        self._output = os.fdopen(writing, "wb", buffering=0)
        self._number = 0
        self._held = b""
        self._session = ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        words = {"targetId": target, "flatten": True}
        self._session = self._call("Target.attachToTarget", **words)["sessionId"]

    def close(self) -> None:
        """Close our ends of the pipe."""
        self._input.close()
        self._output.close()

    def _call(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._output.write(json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._held:
                piece = self._input.read(65536)
                if not piece:
                    raise RuntimeError("Chromium has ended")
                self._held += piece
            text, _, self._held = self._held.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(str(answer["error"]))
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        """Go to a page."""
        self._call("Page.navigate", url=url)

    def ask(self, script: str) -> Any:
        """Evaluate JavaScript on the page; None while there is none."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def _asked(self, script: str) -> Any:
        """The answer to a question that changes nothing; None while another page comes."""
        try:
            return self.ask(script)
        except BrowserError as error:
            if "navigated" in str(error):
                return None
            raise

    def wait_for(self, script: str, *, timeout_s: float = 60) -> Any:
        """Evaluate until the answer is true; gives it."""
        deadline = time.monotonic() + timeout_s
        while not (value := self._asked(script)):
            if time.monotonic() > deadline:
                page = self.ask("document.body ? document.body.innerText : ''")
                raise TimeoutError(f"{script}\n{page}")
            time.sleep(0.1)
        return value


@contextmanager
def open_browser(program: str) -> Iterator[Browser]:
    """Start a Chromium of our own, and end it after."""
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()

    def place() -> None:
        # Copies first: one of the two may be 3 or 4 itself
        first, second = os.dup(their_in), os.dup(their_out)
        os.dup2(first, 3)
        os.dup2(second, 4)

    with tempfile.TemporaryDirectory(
        prefix="chromium-", ignore_cleanup_errors=True
    ) as folder, subprocess.Popen(
        [program, *_FLAGS, f"--user-data-dir={folder}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        # It leaves a lock's folder there
        env={**os.environ, "TMPDIR": folder},
        preexec_fn=place, pass_fds=(3, 4),  # noqa: PLW1509 the two numbers are Chromium's own
    ) as process:  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        browser = Browser(our_in, our_out)
        try:
            yield browser
        finally:
            browser.close()
            process.terminate()
            process.wait(timeout=30)
