import pytest

from sandbox import ssh
from sandbox.errors import CommandError
from sandbox.ssh import SshTarget, disconnect


@pytest.mark.parametrize("returncode", [None, 127], ids=["hangs", "no ssh"])
def test_a_shared_connection_that_cannot_be_ended_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, returncode: int | None
) -> None:
    asked: list[tuple[str, ...]] = []

    def fails(argv: tuple[str, ...], **_: object) -> None:
        asked.append(argv)
        raise CommandError("`ssh` did not end within 10 s", returncode=returncode)

    monkeypatch.setattr(ssh, "run", fails)
    disconnect(SshTarget("demo"))
    assert [argv[:3] for argv in asked] == [("ssh", "-O", "exit")]
