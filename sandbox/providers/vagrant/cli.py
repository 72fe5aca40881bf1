"""Vagrant through python-vagrant, with additions: timeouts, the errors' own text, a log.

python-vagrant starts processes without a timeout, drops stderr, and takes any line with a comma for
an answer. Its three methods that do so are replaced here; the rest of its API is used unchanged.
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.deadline import keep_trying
from sandbox.errors import CommandError, HostError, ProviderError, SandboxError
from sandbox.events import Listener, StepOutput
from sandbox.providers.vagrant.home import clean_vagrant_home
from sandbox.run import Completed, run

# It warns at import where Vagrant is missing; our own finding says that at the right time
logging.getLogger("vagrant").addHandler(logging.NullHandler())
from vagrant import Vagrant  # noqa: E402

TIMEOUTS_S: Final = {"halt": 240.0, "destroy": 300.0, "box": 3600.0}
_QUICK_S: Final = 120.0
_CLEANUP_S: Final = 30.0
"""How long Vagrant may clean up after an interrupt."""

_PASSING: Final = re.compile(
    r"already executing an action|is locked|already locked|underlying SSH library|"
    r"SSH connection was (unexpectedly closed|reset|refused)"
)
_TRIES: Final = 10
_PAUSE_S: Final = 3.0

_LINE = re.compile(r"^\d+,(?P<target>[^,]*),(?P<kind>[a-z][a-z0-9-]*)(?:,(?P<data>.*))?$")
_DECODED: Final = ((r"\n", "\n"), (r"\r", ""), ("%!(VAGRANT_COMMA)", ","))
_NOT_INSTALLED: Final = "apt-get install vagrant; sandbox doctor says what else is missing"


@dataclass(frozen=True)
class Said:
    """One line of what `vagrant --machine-readable` prints."""

    target: str
    kind: str
    data: tuple[str, ...]


def parse_line(line: str) -> Said | None:
    """Parse a line of machine-readable output; None for the noise that plugins and Ruby print."""
    found = _LINE.match(line)
    if found is None:
        return None
    fields = (found["data"] or "").split(",")
    return Said(found["target"], found["kind"], tuple(_decode(field) for field in fields))


def _decode(field: str) -> str:
    for code, character in _DECODED:
        field = field.replace(code, character)
    return field


def readable(line: str) -> list[str]:
    """Return the text of a line for people: a message's, or all of one that is not for machines."""
    said = parse_line(line)
    if said is None:
        return [line] if line.strip() else []
    if said.kind != "ui" or len(said.data) < 2:  # noqa: PLR2004
        return []
    return [text.rstrip() for text in said.data[-1].splitlines() if text.strip()]


class VagrantCli(Vagrant):
    """python-vagrant for one instance's folder; `sandbox.run` starts its processes."""

    def __init__(
        self, folder: Path, provider: str, *, log: Path, listener: Listener, sandbox: str
    ) -> None:
        super().__init__(root=str(folder))  # type: ignore[no-untyped-call]
        self.folder = folder
        self.provider = provider
        self.log = log
        self.listener = listener
        self.sandbox = sandbox
        self.up_timeout_s = _QUICK_S
        self.halt_timeout_s = TIMEOUTS_S["halt"]

    def bring_up(self, *, timeout_s: float) -> None:
        """Run `vagrant up` with the provider named; a failure leaves all for us to look at.

        Raises:
            HostError, ProviderError: with Vagrant's own words.
        """
        self.up_timeout_s = timeout_s
        keep_trying(
            self._up,
            despite=ProviderError,
            every_s=_PAUSE_S,
            tries=_TRIES,
            # The Vagrant of a killed command may take a moment to end; a busy host drops an ssh
            again=lambda error: _PASSING.search(error.details) is not None,
        )

    def _up(self) -> None:
        self._call_vagrant_command(
            [
                "up",
                f"--provider={self.provider}",
                "--provision",
                "--no-destroy-on-error",
                "--no-color",
            ]
        )

    def shut_down(self, *, timeout_s: float) -> None:
        """Run `vagrant halt`, for at most so long.

        Raises:
            ProviderError: with Vagrant's own words.
        """
        self.halt_timeout_s = timeout_s
        self.halt()  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Run `vagrant destroy`; it also forgets the machine in its list of all machines.

        Raises:
            ProviderError: with Vagrant's own words.
        """
        self.destroy()  # type: ignore[no-untyped-call]

    def _call_vagrant_command(self, args: Sequence[str | None]) -> None:
        self._execute(args)

    def _run_vagrant_command(self, args: Sequence[str | None]) -> str:
        return self._execute(args).stdout

    def _stream_vagrant_command(self, args: Sequence[str | None]) -> Iterator[str]:
        yield from self._execute(args).stdout.splitlines(keepends=True)

    def _parse_machine_readable_output(self, output: str) -> list[tuple[str, str, str, str]]:
        """Replaces a parser that fails on any line that is not for machines."""
        found = (parse_line(line) for line in output.splitlines())
        return [
            ("", said.target, said.kind, ",".join(said.data))
            for said in found
            if said is not None and said.kind not in ("metadata", "ui", "action", "box-info")
        ]

    def _execute(self, args: Sequence[str | None]) -> Completed:
        words = [arg for arg in args if arg is not None]
        if "--machine-readable" not in words and words[0] != "--version":
            words.append("--machine-readable")
        timeout_s = TIMEOUTS_S.get(words[0], _QUICK_S)
        if words[0] in ("up", "reload"):
            timeout_s = self.up_timeout_s
        if words[0] == "halt":
            timeout_s = self.halt_timeout_s
        try:
            return run(
                ("vagrant", *words),
                timeout_s=timeout_s,
                cwd=self.folder,
                env=vagrant_environment(self.folder, self.provider),
                log=self.log,
                on_line=self._heard,
                grace_s=_CLEANUP_S,
            )
        except CommandError as error:
            raise explain(error, words) from error

    def _heard(self, line: str) -> None:
        for text in readable(line):
            self.listener(StepOutput(self.sandbox, text))


def vagrant_environment(folder: Path, provider: str) -> dict[str, str]:
    """Make the variables that keep a user's settings for other machines away from ours."""
    return {
        "VAGRANT_CWD": str(folder),
        "VAGRANT_DOTFILE_PATH": str(folder / ".vagrant"),
        "VAGRANT_VAGRANTFILE": "Vagrantfile",
        "VAGRANT_HOME": str(clean_vagrant_home()),
        "VAGRANT_DEFAULT_PROVIDER": provider,
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
        "VAGRANT_NO_COLOR": "1",
        "VAGRANT_LOG": "",
        "VAGRANT_ALIAS_FILE": os.devnull,
        "LC_ALL": "C.UTF-8",
    }


def explain(error: CommandError, words: Sequence[str]) -> SandboxError:
    """Explain a failed `vagrant` command, with its own words kept."""
    if error.returncode == 127 and not error.stderr:  # noqa: PLR2004
        return HostError("Vagrant is not installed", hint=_NOT_INSTALLED)
    own = own_words(error)
    if error.returncode is None:
        return ProviderError(f"{error.message}", details=own, hint="the full log is in logs/")
    for pattern, family, message, hint in _MEANINGS:
        if re.search(pattern, own):
            return family(message, details=own, hint=hint)
    return ProviderError(f"`vagrant {words[0]}` failed", details=own)


def own_words(error: CommandError) -> str:
    """Return the text of Vagrant's error; its last output when it names none."""
    said = [parse_line(line) for line in error.stdout.splitlines()]
    texts = [
        ",".join(one.data[1:]).strip()
        for one in said
        if one is not None and one.kind == "error-exit" and len(one.data) > 1
    ]
    stderr = error.stderr.strip()
    if texts:
        return "\n".join(texts)
    spoken = [text for line in error.stdout.splitlines() for text in readable(line)]
    return "\n".join([*spoken[-20:], *([stderr] if stderr else [])])


_MEANINGS: Final[tuple[tuple[str, type[SandboxError], str, str], ...]] = (
    (
        r"VT-x is (not available|disabled)|VERR_VMX|VERR_SVM|AMD-V is (not available|disabled)",
        HostError,
        "the processor's virtualisation cannot be used",
        "switch it on in the firmware; on Windows, switch Hyper-V off. sandbox doctor",
    ),
    (
        r"VERR_VM_DRIVER|vboxdrv|kernel driver not installed",
        HostError,
        "VirtualBox's kernel module is not loaded",
        "sudo /sbin/vboxconfig, then try again",
    ),
    (
        r"version of VirtualBox.*not supported|incompatible version|"
        r"No usable default provider|provider '\w+' (could not be found|that was requested)",
        HostError,
        "this Vagrant does not drive this provider",
        "sandbox doctor",
    ),
    (
        r"[Nn]o space left|VERR_DISK_FULL|not enough (free )?space",
        HostError,
        "no space left for the machine's disk",
        "df -h; sandbox destroy what is not needed",
    ),
    (
        r"[Cc]annot allocate memory|VERR_NO_MEMORY",
        HostError,
        "the host has not enough memory left for the machine",
        "lower machine.memory_mb in the box, or stop other machines",
    ),
    (
        r"Timed out while waiting for the machine to boot",
        ProviderError,
        "the machine did not answer by ssh in time",
        "a slow host needs more: `providers: {…: {boot_timeout_s: 900}}` in the box",
    ),
    (
        r"[Bb]ox .* could not be found|couldn't open file|Box File.* not found",
        ProviderError,
        "the base image is not there",
        "vagrant box list; sandbox up makes or fetches it again",
    ),
)
