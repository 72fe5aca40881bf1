"""A command in a VM: a login that the machine was too slow for is tried again, nothing else is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import CommandError, ProviderError
from sandbox.providers.engine import SshEndpoint
from sandbox.providers.vagrant import ssh as vagrant_reach
from sandbox.providers.vagrant.ssh import never_began, run_over_ssh_as_root
from sandbox.run import Completed

AWAY = "Connection closed by 127.0.0.1 port 27390\n"
BANNER = "Connection timed out during banner exchange\n"
MIDWAY = "Connection to 127.0.0.1 closed by remote host.\n"

Ssh = Callable[[list[tuple[int, str]]], list[tuple[str, ...]]]
Call = Callable[..., Completed]


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch) -> Ssh:
    """ssh that ends as told, one status and stderr a call; what it was called with."""
    monkeypatch.setattr("time.sleep", lambda _: None)

    def prepare(endings: list[tuple[int, str]]) -> list[tuple[str, ...]]:
        calls: list[tuple[str, ...]] = []

        def run(words: tuple[str, ...], *, check: bool, **_: Any) -> Completed:
            calls.append(words)
            code, stderr = endings[len(calls) - 1]
            if check and code:
                raise CommandError("failed", returncode=code, stdout="", stderr=stderr)
            return Completed(words, code, "", stderr, 0.1)

        monkeypatch.setattr(vagrant_reach, "run", run)
        return calls

    return prepare


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def call(*, check: bool = True) -> Completed:
        endpoint = SshEndpoint("sandbox", "127.0.0.1", 27390, ("ssh-ed25519 AAAA",))
        return run_over_ssh_as_root(
            tmp_path, endpoint, ("date",), timeout_s=5, check=check, connect_timeout_s=180
        )

    return call


@pytest.mark.parametrize("check", [True, False])
def test_a_login_that_failed_is_tried_again(ssh: Ssh, call: Call, *, check: bool) -> None:
    calls = ssh([(255, AWAY), (255, BANNER), (0, "")])
    assert call(check=check).returncode == 0
    assert len(calls) == 3
    assert "ConnectTimeout=180" in calls[0]


def test_it_is_given_up_in_the_end(ssh: Ssh, call: Call) -> None:
    calls = ssh([(255, AWAY)] * 3)
    with pytest.raises(ProviderError, match="`date` failed"):
        call()
    assert len(calls) == 3
    assert ssh([(255, AWAY)] * 3) == []
    assert call(check=False).returncode == 255


@pytest.mark.parametrize(("code", "stderr"), [(1, AWAY), (255, MIDWAY), (255, ""), (0, BANNER)])
def test_what_may_have_begun_is_not_begun_twice(
    ssh: Ssh, call: Call, code: int, stderr: str
) -> None:
    assert not never_began(code, stderr)
    calls = ssh([(code, stderr)] * 3)
    assert call(check=False).returncode == code
    assert len(calls) == 1


def test_a_killed_command_leaves_nothing_outside_of_the_machines_own_folder(
    ssh: Ssh, call: Call, tmp_path: Path
) -> None:
    # `kill -9` between writing the file and removing it: then `destroy` removes it with the folder
    calls = ssh([(0, "")])
    call()
    option = next(word for word in calls[0] if word.startswith("UserKnownHostsFile="))
    assert Path(option.partition("=")[2].strip('"')).parent == tmp_path
