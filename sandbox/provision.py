"""Turn a bare machine into what its plan says: run the bootstrap script, then Ansible.

Ansible is the program next to this Python, with its configuration, home and inventory in the
instance's folder: nothing of the user's own Ansible is read or written.

The values of a box's secrets go to Ansible in the environment of its process, and from there to
the machine through pipes. Files in the instance's folder, command lines and logs hold only the
names of the secrets, even when a run is killed.
"""

import json
import os
import re
import shlex
import shutil
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.app_files import TooMuchError, UnreadableError, app_files
from sandbox.errors import CommandError, ProvisionError, SandboxError
from sandbox.events import Listener, Notice, StepOutput, step
from sandbox.files import private_folder, whole_file, write_whole
from sandbox.paths import data_dir
from sandbox.placement import Placement
from sandbox.plan import PlannedApp
from sandbox.provision_errors import explained, explained_bootstrap, read_summary
from sandbox.render import (
    api_archive_path,
    archive_path,
    not_templates,
    provision_vars,
    read_certificates,
    render_bootstrap,
    secret_variable,
)
from sandbox.run import concealing, run
from sandbox.secret_values import NO_VALUES, SecretValues, needed_secrets
from sandbox.ssh import SshTarget, disconnect
from sandbox.waiting import ROOT_SHELL, RUN, Watch, asked_by

BOOTSTRAP_TIMEOUT_S = 900.0
PROVISION_TIMEOUT_S = 3600.0
_ANSWER_S = 30
_NOTE = "note: "
_PLAYBOOKS = "playbooks"
"""The name of a link to our playbooks, in Ansible's own folder."""

_TEMPORARY = "tmp"
"""The folder of Ansible's temporary files, in its own folder: what a killed run leaves is there."""

_CONFIGURATION = f"""\
# Written by sandbox for its own runs of Ansible
[defaults]
callback_plugins = {_PLAYBOOKS}/callback_plugins
stdout_callback = sandbox_events
roles_path = {_PLAYBOOKS}/roles
collections_path = collections
collections_scan_sys_path = False
local_tmp = {_TEMPORARY}
remote_tmp = /tmp
interpreter_python = /usr/bin/python3
gathering = explicit
retry_files_enabled = False
# Not only to connect: Ansible waits as long for sudo, and a host under load is slow
timeout = {_ANSWER_S}
# Modules would write what they were told to the machine's journal, where many may read it
no_target_syslog = True
[ssh_connection]
# Who, where, which key and the shared connection are all in our ssh_config
ssh_args =
pipelining = True
# Needs no sftp server on the machine
transfer_method = piped
retries = 2
"""


@dataclass(frozen=True)
class ProvisionResult:
    """The result of a playbook run."""

    changed: int
    ok: int
    changed_tasks: tuple[str, ...]
    elapsed_s: float


def log_path(folder: Path) -> Path:
    """Return the file with the full output of bootstrap and Ansible."""
    return folder / "logs" / "provision.log"


class RootShell(Protocol):
    """Feeds a script to `sh -s`, run as root on the machine; CommandError when it fails."""

    def __call__(
        self, script: str, *, timeout_s: float, log: Path, on_line: Callable[[str], None]
    ) -> object:
        """Run the script to its end."""
        ...


def root_over_ssh(target: SshTarget) -> RootShell:
    """Return the root shell of a machine, for a login that may `sudo` without a password."""

    def shell(
        script: str, *, timeout_s: float, log: Path, on_line: Callable[[str], None]
    ) -> object:
        command = ("sudo", "-n", *ROOT_SHELL)
        return target.run(command, timeout_s=timeout_s, stdin=script, log=log, on_line=on_line)

    return shell


def bootstrap(
    placement: Placement,
    root_shell: RootShell,
    folder: Path,
    listener: Listener,
    *,
    secrets: SecretValues = NO_VALUES,
    timeout_s: float = BOOTSTRAP_TIMEOUT_S,
) -> None:
    """Bring the machine to where Ansible can work; quick when that was done before.

    Args:
        placement: what the machine is to be.
        root_shell: how to run commands as root. A public image may have no sshd or sudo yet.
        folder: the instance's folder.
        listener: gets the step and each line.
        secrets: the values that the plan only names.
        timeout_s: after so many seconds the script is ended.

    Raises:
        BoxError: a certificate of the plan cannot be read.
        ProvisionError: the package mirror cannot be reached, the disk is full, ...; with a hint.
    """
    _require_all(placement, secrets)
    certificates = read_certificates(placement.plan)
    _write(folder / "bootstrap.sh", render_bootstrap(placement.plan, certificates))
    script = render_bootstrap(placement.plan, certificates, secrets)
    watch = Watch(placement.name, listener, asked_by(root_shell, folder))
    with (
        step(listener, placement.name, "bootstrap"),
        concealing(secrets.hide),
        watch.watching(),
    ):
        try:
            root_shell(
                script,
                timeout_s=timeout_s,
                log=log_path(folder),
                on_line=_relay(placement.name, watch),
            )
        except CommandError as error:
            raise explained_bootstrap(error, log_path(folder), name=placement.name) from error


def provision(
    placement: Placement,
    target: SshTarget,
    folder: Path,
    listener: Listener,
    *,
    secrets: SecretValues = NO_VALUES,
    mend: bool = False,
    apt_config: str = "",
    timeout_s: float = PROVISION_TIMEOUT_S,
) -> ProvisionResult:
    """Run `playbooks/site.yml` on the machine. A second run finds nothing to change.

    Args:
        placement: what the machine is to be.
        target: the way into the machine.
        folder: the instance's folder.
        listener: gets the step and each line.
        secrets: the values that the plan only names.
        mend: also look for installed files that are gone or changed, and put them back.
        apt_config: a file on the machine, with further settings of the apt that installs the plan's
            packages; empty: none.
        timeout_s: after so many seconds Ansible is ended.

    Raises:
        ProvisionError: a task failed; the error names the task, with its own words and a hint.
    """
    _require_all(placement, secrets)
    for app in placement.plan.apps:
        pack(app, archive_path(folder, app.name))
    for api in placement.plan.apis:
        pack(api, api_archive_path(folder, api.name))
    home = folder / "ansible"
    _write(home / "vars.json", provision_vars(placement.plan, folder).for_ansible())
    watch = Watch(placement.name, listener, asked_by(root_over_ssh(target), folder))
    with (
        step(listener, placement.name, "provision") as note,
        concealing(secrets.hide),
        watch.watching(),
    ):
        result = play(
            data_dir("playbooks") / "site.yml",
            target,
            home,
            extra=(
                *("-e", "@vars.json", "-e", f"sandbox_run={RUN}"),
                *("-e", json.dumps({"mend": mend, "system_apt_config": apt_config})),
            ),
            secrets=secrets,
            log=log_path(folder),
            on_line=_relay(placement.name, watch),
            timeout_s=timeout_s,
        )
        note.text = f"{result.changed} of {result.ok} tasks changed something"
        if result.changed:
            # The shared connection keeps the environment and limits it was opened with
            disconnect(target)
    return result


def play(
    playbook: Path,
    target: SshTarget,
    home: Path,
    *,
    extra: Sequence[str],
    secrets: SecretValues = NO_VALUES,
    log: Path,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float,
) -> ProvisionResult:
    """Run a playbook of ours on `target`; Ansible's own files go to `home`.

    Args:
        playbook: the path of the playbook.
        target: the way into the machine.
        home: the folder for Ansible's own files.
        extra: more words for `ansible-playbook`.
        secrets: the values that the variables only name.
        log: the file that gets all output.
        on_line: called with each line.
        timeout_s: after so long it is given up.

    Raises:
        ProvisionError: Ansible failed, or did not end within `timeout_s`.
    """
    summary_path = home / "summary.json"
    summary_path.unlink(missing_ok=True)
    _write(home / "ansible.cfg", _CONFIGURATION)
    _link(home / _PLAYBOOKS, data_dir("playbooks"))
    _write(home / "inventory.json", _inventory(target, home))
    # A killed run has left its files
    shutil.rmtree(home / _TEMPORARY, ignore_errors=True)
    private_folder(home / _TEMPORARY, home)
    clean = _clean_environment(home, summary_path)
    argv = (*clean, str(_program()), "-i", "inventory.json", *extra, str(playbook))
    try:
        # Not among the words of `env`: a command line can be read by everybody
        given = {secret_variable(name): value for name, value in secrets}
        done = run(argv, timeout_s=timeout_s, env=given, cwd=home, log=log, on_line=on_line)
    except CommandError as error:
        raise explained(error, read_summary(summary_path), log, name=target.host) from error
    summary = read_summary(summary_path)
    if not summary.finished:
        raise ProvisionError(
            "Ansible ended without a result",
            details=done.stderr or done.stdout,
            hint=f"the full log: {log}",
        )
    return ProvisionResult(
        changed=len(summary.changed),
        ok=summary.ok,
        changed_tasks=summary.changed,
        elapsed_s=done.elapsed_s,
    )


def _require_all(placement: Placement, secrets: SecretValues) -> None:
    """Refuse missing values: a machine must never get a placeholder in place of a secret."""
    if missing := secrets.lacks(needed_secrets(placement.plan)):
        names = ", ".join(one.name for one in missing)
        raise SandboxError(f"{placement.name} cannot be provisioned without the secrets {names}")


def _program() -> Path:
    """The ansible-playbook that was installed with us, not one that happens to be on the PATH."""
    return Path(sys.executable).with_name("ansible-playbook")


def _clean_environment(home: Path, summary: Path) -> tuple[str, ...]:
    """The words `env …` that start Ansible: the user's own settings would win over ours.

    Files are named from Ansible's own folder, in which it runs: in a path Ansible reads `$` as a
    variable, `:` and `,` as the end of a name, and text in braces as a template.
    """
    # It also looks for variables in the path of its folder: no such variable may exist
    within = set(re.findall(r"\$(\w+)", str(home)))
    names = (name for name in os.environ if name.startswith("ANSIBLE_") or name in within)
    forget = [word for name in names for word in ("-u", name)]
    ours = {
        "ANSIBLE_CONFIG": "ansible.cfg",
        "ANSIBLE_HOME": "home",
        # Of all its processes; and of its modules, where the machine is this host
        "TMPDIR": home / _TEMPORARY,
        "SANDBOX_SUMMARY": summary,
        # Ansible refuses to start where text is not UTF-8
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "C",
    }
    return ("env", *forget, *(f"{name}={value}" for name, value in ours.items()))


def _inventory(target: SshTarget, home: Path) -> str:
    options = f"-F {shlex.quote(str(target.config))}" if target.config is not None else ""
    host = {"ansible_ssh_common_args": not_templates(options)}
    if target.config is None:
        # This host: its /tmp is not ours to fill
        host["ansible_remote_tmp"] = not_templates(str(home / _TEMPORARY))
    return json.dumps({"all": {"hosts": {target.host: host}}}, indent=1) + "\n"


def _relay(name: str, watch: Watch) -> Callable[[str], None]:
    def relay(line: str) -> None:
        watch.heard()
        if line.startswith(_NOTE):
            watch.tell(Notice(name, line.removeprefix(_NOTE)))
        elif line.strip():
            watch.tell(StepOutput(name, line))

    return relay


def _write(path: Path, content: str) -> None:
    """Write a file that only the user may read: variables may hold a box's secrets."""
    private_folder(path.parent, path.parent)
    write_whole(path, content)


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def pack(app: PlannedApp, archive: Path) -> None:
    """Put the app's files into a tar file; links stay links and are not followed.

    Raises:
        ProvisionError: one of the files cannot be read.
    """
    private_folder(archive.parent, archive.parent)
    with whole_file(archive) as fresh:
        try:
            found = app_files(app.path, include=app.include, max_mb=app.max_mb)
            fresh.touch(mode=0o600)
            with tarfile.open(fresh, "w") as tar:
                for path in found.taken:
                    tar.add(path, path.relative_to(app.path), recursive=False, filter=_readable)
        except OSError as error:
            raise ProvisionError(
                f"the app {app.name} cannot be read: {error.strerror}",
                details=str(error.filename or app.path),
                hint="see who may read it: ls -l",
            ) from error
        except (TooMuchError, UnreadableError) as error:
            raise ProvisionError(
                f"the app {app.name} cannot be copied to the machine",
                details=str(error),
                hint="sandbox validate says more",
            ) from error


def _readable(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Make root the owner, and let the apps' account read; leave out sockets and devices."""
    if not (member.isfile() or member.isdir() or member.issym()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    executable = member.isdir() or member.mode & 0o111
    member.mode = 0o755 if executable else 0o644
    return member
