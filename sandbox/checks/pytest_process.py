"""One pytest process that runs checks: how it is called, and what it may know."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sandbox
from sandbox.checks.request import CHECKING
from sandbox.errors import CommandError
from sandbox.events import Listener, StepOutput
from sandbox.run import Completed, HostUser, run
from sandbox.ssh import SshTarget

OUR_PLUGIN: Final = "sandbox.checks.plugin"
PREFIX: Final = "check-"
"""Of the folders of runs, in an instance's folder."""
_INI = """\
[pytest]
minversion = 8.0
python_files = test_*.py
empty_parameter_set_mark = skip
"""
_RAN = (0, 1, 5)
"""pytest's exit statuses for: all passed, some failed, there was nothing to do."""

_SETTINGS: Final = {
    "PYTEST_ADDOPTS": "",
    "PYTEST_PLUGINS": "",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
}


@dataclass(frozen=True)
class PytestProcess:
    """Where one runs, and as which account."""

    place: Path
    """A folder for this run alone, with a request in it."""
    target: SshTarget
    log: Path
    name: str
    """Of the sandbox."""
    listener: Listener
    environment: dict[str, str] | None = None
    """All that it gets; None: what this process has."""
    user: HostUser | None = None
    plugin: str = OUR_PLUGIN
    """The pytest plugin that writes down what comes of it."""
    hosts: tuple[str, ...] = ()
    """Aliases of the target's configuration, for many machines; else the target alone."""

    def run(self, files: tuple[Path, ...], *, limit_s: float) -> tuple[float, CommandError | None]:
        """Run the tests in `files`: the seconds it took, and what went wrong with pytest itself."""
        try:
            done: Completed = run(
                self._argv(files),
                timeout_s=limit_s,
                env={**_SETTINGS, **(self.environment or {})},
                only_env=self.environment is not None,
                user=self.user,
                cwd=self.place,
                log=self.log,
                on_line=self._tell,
                check=False,
            )
        except CommandError as error:
            return limit_s, error
        if done.returncode in _RAN:
            return done.elapsed_s, None
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        trouble = CommandError(
            f"pytest ended with exit status {done.returncode}",
            returncode=done.returncode,
            details=tail,
        )
        return done.elapsed_s, trouble

    def _tell(self, line: str) -> None:
        """Which check it is at, in the words of its title; pytest's own are in the log."""
        if line.startswith(CHECKING):
            self.listener(StepOutput(self.name, line.removeprefix(CHECKING)))

    def _argv(self, files: tuple[Path, ...]) -> tuple[str | Path, ...]:
        """In the folder of the run, and named from there: pytest reads `$` and `[` in a path."""
        place, target = self.place, self.target
        inside = (one.relative_to(place) if one.is_relative_to(place) else one for one in files)
        config = (f"--ssh-config={target.config}",) if target.config is not None else ()
        return (
            sys.executable,
            "-P",
            *("-m", "pytest"),
            # Only what is named here: nothing of the user's own pytest set-up
            *("-c", "pytest.ini", "--rootdir", ".", "--noconftest"),
            *("-p", "testinfra.plugin", "-p", self.plugin, "-p", "no:cacheprovider"),
            *("--import-mode=importlib", "--basetemp", "tmp"),
            *("-v", "--tb=short", "--color=no", "--continue-on-collection-errors"),
            f"--sandbox-folder={place}",
            # testinfra's default is paramiko, which does not read all that is in an ssh_config
            f"--hosts={','.join(f'ssh://{host}' for host in self.hosts or (target.host,))}",
            *config,
            *inside,
        )


def write_settings(place: Path) -> None:
    """Put pytest's own settings into the folder of a run."""
    (place / "pytest.ini").write_text(_INI, encoding="utf-8")


def clean_environment(home: Path, *, with_tmpdir: bool) -> dict[str, str]:
    """Choose the environment that a box's own code gets to see: no token, no agent."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LANG"} or name.startswith("LC_") or (name == "TMPDIR" and with_tmpdir)
    }
    package = Path(sandbox.__file__).resolve().parent.parent
    if package.name not in {"site-packages", "dist-packages"}:
        # A checkout: nothing else says where it is
        kept["PYTHONPATH"] = str(package)
    return {**kept, "HOME": str(home)}
