"""A server to capture: a copy of a sandbox that a script has changed, reached by ssh as root."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Host, wait_until

PLANTED = "Hunter2-geheim-9"
"""The secret that the scripts put on a server, and that must not leave it."""


@contextmanager
def a_server(host: Host, sandbox: str, name: str, folder: Path, script: str) -> Iterator[Path]:
    """A copy of the sandbox that a script has changed; the ssh_config that leads to it."""
    key = folder / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(command, check=True, timeout=60)
    host.incus("copy", sandbox, name)
    try:
        host.incus("start", name)
        public = key.with_suffix(".pub").read_text().strip()
        wait_until("systemd", lambda: _running(host, name), timeout_s=120, interval_s=1)
        subprocess.run(
            ["incus", "--project", host.prefix, "exec", name, "--env", f"PLANTED={PLANTED}",
             "--env", f"PUBLIC_KEY={public}", "--", "bash", "-s"],
            input=script.encode(), check=True, timeout=300,
        )  # fmt: skip
        address = host.incus("list", name, "-f", "csv", "-c", "4").split()[0]
        host_key = host.incus("exec", name, "--", "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
        (folder / "known_hosts").write_text(f"{address} {' '.join(host_key.split()[:2])}\n")
        config = folder / "ssh_config"
        config.write_text(
            f"Host {name}\n  HostName {address}\n  User root\n  IdentityFile {key}\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {folder / 'known_hosts'}\n"
        )
        yield config
    finally:
        host.incus("delete", "--force", name, check=False)


def _running(host: Host, name: str) -> bool:
    state = host.incus("exec", name, "--", "systemctl", "is-system-running", check=False).strip()
    return state in ("running", "degraded")
