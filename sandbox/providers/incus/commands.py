"""Commands inside a running Incus machine: as root through Incus, made ready for ssh, host keys."""

import ipaddress
import re
from abc import ABC
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.deadline import keep_trying
from sandbox.errors import CommandError, ProviderError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.providers.incus import ready_script as inside
from sandbox.providers.incus.client import IncusClient, explain
from sandbox.providers.incus.place import IncusPlace
from sandbox.run import TAIL_LINES, Completed, run

_TRIES = 3
# The client's own messages when the command was not even started, to tell them from the command's
_NOT_EXECUTED = re.compile(
    r"Error: .*(Instance is not running|Instance not found|Instance is frozen"
    r"|Missing event connection with|Server isn't ready yet|Unable to connect to: )"
)

_UNHEARD_S = 2.0
"""Seconds until a machine that gave no answer is asked again."""


class IncusCommands(ABC):
    """What works inside machines, whoever they belong to."""

    client: IncusClient
    place: IncusPlace

    def _host_keys_back(self, name: str) -> str:
        """Say the command that brings back a machine which has no host keys."""
        return f"sandbox up {name}"

    def _ways_out(self, name: str) -> tuple[str, str]:
        """Say the commands for a machine whose sshd does not start, and for one that hangs."""
        return f"go back: `sandbox reset {name}`", f"`sandbox destroy {name}`"

    def exec_as_root(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        stdin: str | bytes | Path | None = None,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        output: Path | None = None,
        check: bool = True,
    ) -> Completed:
        """Run `argv` in the running machine as root, in `/root`.

        Raises:
            HostError, ProviderError: Incus cannot be asked, the machine is absent or does not run,
                or (with `check`) the command failed or took too long.
        """
        words = ("exec", "-T", self.client.ref(name), "--cwd", "/root", "--", *argv)
        done = self.client.run(
            *words,
            timeout_s=timeout_s,
            stdin=stdin,
            log=log,
            on_line=on_line,
            output=output,
            check=False,
        )
        if done.returncode != 0 and _NOT_EXECUTED.match(done.stderr):
            own = done.stderr.strip().removeprefix("Error: ")
            error = explain(own, what=f"running `{argv[0]}` in {name}")
            raise self.client.of_remote(error)
        if done.returncode != 0 and check:
            raise ProviderError(
                f"`{argv[0]}` failed in {name} with exit status {done.returncode}",
                details="\n".join((done.stdout + done.stderr).splitlines()[-TAIL_LINES:]),
            )
        return done

    def proxy_command(self, name: str) -> tuple[str, ...]:
        """Write the command that joins stdin and stdout to the machine's sshd, through Incus."""
        return self.client.argv(
            "exec", "-T", self.client.ref(name), "--", "bash", "-c", inside.FORWARD
        )

    def _read_host_keys(self, name: str) -> tuple[str, ...]:
        read = ("sh", "-c", inside.HOST_KEYS)
        said = self.exec_as_root(name, read, timeout_s=30, check=False)
        for _ in range(1, _TRIES):
            # `cat` succeeded, so there was output: on a busy host it got lost on the way
            if said.returncode != 0 or said.stdout:
                break
            said = self.exec_as_root(name, read, timeout_s=30, check=False)
        keys = inside.parse_host_keys(said.stdout)
        if not keys:
            raise ProviderError(
                f"{name} has no ssh host key",
                details=said.stderr,
                hint=self._host_keys_back(name),
            )
        return keys

    def _wait_ready(self, name: str, key: str, listener: Listener) -> inside.Ready:
        """Prepare its login for the public key; wait until systemd is up and sshd answers."""
        last = ["nothing was heard from it"]

        def heard(line: str) -> None:
            if line.startswith("state: "):
                last[0] = line.removeprefix("state: ")
                listener(StepOutput(name, last[0]))

        look = f"incus exec --project {self.place.project} {self.client.ref(name)} --"
        from_sshd, from_hanging = self._ways_out(name)
        try:
            done = self._ask_ready(name, key, heard)
        except CommandError as error:
            if words_of_sshd := inside.sshd_words(error.stdout):
                raise ProviderError(
                    f"sshd does not start in {name}",
                    details=words_of_sshd,
                    hint=f"put it right: `{look} bash`; or {from_sshd}",
                ) from error
            raise ProviderError(
                f"{name} did not get ready: {last[0]}",
                details=error.details,
                hint=f"look inside: `{look} journalctl -b`; or {from_hanging}",
            ) from error
        ready = inside.parse_ready(done.stdout)
        if ready is None:
            raise ProviderError(f"{name} gave no clear answer", details=done.stdout)
        ipaddress.IPv4Address(ready.address)
        return ready

    def _ask_ready(self, name: str, key: str, heard: Callable[[str], None]) -> Completed:
        words = self.client.argv("exec", "-T", self.client.ref(name), "--", "sh", "-c")

        def ask() -> Completed:
            return run(
                (*words, inside.READY, "sh", name, str(inside.WAIT_S)),
                timeout_s=inside.WAIT_S + 30,
                stdin=f"{key}\n",
                on_line=heard,
            )

        return keep_trying(
            ask,
            despite=CommandError,
            every_s=_UNHEARD_S,
            tries=2,
            # On a busy host, the output of the first try in a new machine may be lost
            again=lambda error: error.returncode is not None and not error.stdout.strip(),
        )


def say_ready(name: str, ready: inside.Ready, listener: Listener) -> None:
    """Tell what is not as it should be in a machine that is ready."""
    if ready.failed_units:
        units = ", ".join(ready.failed_units)
        listener(Notice(name, f"systemd is {ready.system}; failed: {units}"))
    for what in ready.mended:
        listener(Notice(name, what))
    if not ready.has_sshd:
        listener(Notice(name, "the machine has no sshd yet"))
