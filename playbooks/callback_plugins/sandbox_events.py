"""Print in plain lines what a playbook does, and write its results to a file.

Never shows a module's arguments or a file's content: they may hold what a box keeps secret.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: sandbox_events
type: stdout
short_description: plain lines, and a summary as JSON
description:
  - One line for each task that did something, and for each that failed.
options: {}
"""

# The log of the machine itself has results longer than this
_LONGEST = 20000
_SECRET = "SANDBOX_SECRET_"


def _private(path, flags):
    return os.open(path, flags, mode=0o600)


class CallbackModule(CallbackBase):
    """The only callback of `sandbox`; the summary goes to the file named by SANDBOX_SUMMARY."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "sandbox_events"

    def __init__(self):
        super().__init__()
        self._summary = {"ok": 0, "changed": [], "failures": [], "finished": False, "tasks": []}
        self._started = 0.0

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._started = time.monotonic()
        # A task that takes minutes is reported while it runs
        self._display.display(f"{task.get_name()} ...")

    def v2_playbook_on_handler_task_start(self, task):
        self._started = time.monotonic()

    def v2_runner_on_ok(self, result):
        name, elapsed_s = _name(result), time.monotonic() - self._started
        changed = bool(result.result.get("changed"))
        self._summary["ok"] += 1
        self._summary["tasks"].append([name, round(elapsed_s, 3)])
        if changed:
            self._summary["changed"].append(name)
        self._display.display(f"{name}: {'changed' if changed else 'ok'} ({elapsed_s:.1f} s)")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._failed(result, "failed")

    def v2_runner_on_unreachable(self, result):
        self._failed(result, "unreachable")

    def v2_playbook_on_stats(self, stats):
        self._summary["finished"] = not self._summary["failures"]
        self._write()

    def _failed(self, result, kind):
        found = result.result
        items = [item for item in found.get("results") or [] if item.get(kind)]
        for item in items or [found]:
            failure = {"task": _name(result), "kind": kind, **_words(item)}
            self._summary["failures"].append(failure)
            self._display.display(f"{failure['task']}: {kind}")
            for key in ("item", "msg", "stderr", "stdout"):
                if failure[key]:
                    self._display.display(failure[key])
        self._write()

    def _write(self):
        path = os.environ.get("SANDBOX_SUMMARY")
        if path:
            # For its owner alone, whatever the umask
            with open(f"{path}.new", "w", encoding="utf-8", opener=_private) as file:
                json.dump(self._summary, file)
            os.replace(f"{path}.new", path)


def _name(result):
    return str(result.task.get_name())


def _words(found):
    """The part of a failed result that a person wants to read."""
    words = {"item": str(found.get("_ansible_item_label") or "")}
    for key in ("msg", "stderr", "stdout"):
        text = _without_secrets(str(found.get(key) or found.get(f"module_{key}") or ""))
        words[key] = text if len(text) <= _LONGEST else text[-_LONGEST:]
    if "censored" in found:
        words["msg"] = "what it said is not shown, as this task is given secrets of the box"
    return words


def _without_secrets(text):
    """Put names in place of the secrets' values, which are in this process's environment."""
    for variable, value in os.environ.items():
        name = variable.removeprefix(_SECRET)
        # A shorter value stands in any text by chance
        if name != variable and len(value) >= 4:
            text = text.replace(value, f"<secret {name}>")
    return text
