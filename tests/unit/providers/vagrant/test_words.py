"""What Vagrant, libvirt, VirtualBox and a machine's console say, read without any of them."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from sandbox.errors import CommandError, HostError, ProviderError
from sandbox.events import ignore
from sandbox.providers.vagrant.cli import Said, VagrantCli, explain, parse_line, readable
from sandbox.providers.vagrant.files import (
    VagrantfileHost,
    VmRecord,
    parse_console,
    render_vagrantfile,
)
from sandbox.providers.vagrant.hypervisor import _version_key
from sandbox.providers.vagrant.vm import read_note
from sandbox.run import Completed

GOLDEN = Path(__file__).parents[2] / "golden"


def record(**changes: object) -> VmRecord:
    return VmRecord(
        provider="libvirt",
        name="shiny",
        vm_name="sandbox-shiny",
        uuid="0b4e7a0c-6e0b-4a55-9f0b-0123456789ab",
        image="sandbox/debian-12-0123456789ab@1.0.0",
        cpus=2,
        memory_mb=2048,
        disk_gb=20,
        authorized_key="ssh-ed25519 AAAA sandbox-shiny",
        ssh_port=20201,
        forwarded=((3838, 20202),),
        labels=(("box", "a b=c"), ("plan", "0123")),
    ).model_copy(update=changes)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1,one,state,running", Said("one", "state", ("running",))),
        (r"1,,ui,info,a%!(VAGRANT_COMMA) b\nc", Said("", "ui", ("info", "a, b\nc"))),
        ("1,,metadata", Said("", "metadata", ("",))),
        ("hello, from a, puts in somebody's plugin", None),
        ("/usr/lib/ruby/x.rb:1: warning: a, b", None),
        ("", None),
    ],
)
def test_only_lines_for_machines_are_parsed(line: str, expected: Said | None) -> None:
    assert parse_line(line) == expected


def test_people_see_the_text_and_the_noise() -> None:
    assert readable(r"1,,ui,info,first\n\nsecond") == ["first", "second"]
    assert readable("1,one,state,running") == []
    assert readable("warning: something") == ["warning: something"]


def failed(stdout: str = "", stderr: str = "", returncode: int | None = 1) -> CommandError:
    return CommandError("`vagrant up` failed", returncode=returncode, stdout=stdout, stderr=stderr)


def test_vagrants_own_words_are_kept() -> None:
    said = (
        "1,,ui,info,trying\n"
        "1,,error-exit,Vagrant::Errors::VBoxManageError,There was an error%!(VAGRANT_COMMA) "
        r"Stderr: VBoxManage: error: Code NS_ERROR_FAILURE\nVBoxManage: error: Context"
    )
    error = explain(failed(said), ["up"])
    assert isinstance(error, ProviderError)
    assert error.details == (
        "There was an error, Stderr: VBoxManage: error: Code NS_ERROR_FAILURE\n"
        "VBoxManage: error: Context"
    )


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("VBoxManage: error: VT-x is not available (VERR_VMX_NO_VMX)", HostError),
        ("The provider 'virtualbox' that was requested to back the machine", HostError),
        ("write: No space left on device", HostError),
        ("Timed out while waiting for the machine to boot.", ProviderError),
        ("something that nobody has seen before", ProviderError),
    ],
)
def test_known_failures_have_a_meaning(text: str, family: type[Exception]) -> None:
    error = explain(failed(stderr=text), ["up"])
    assert type(error) is family
    assert text in error.details


@pytest.mark.parametrize(
    ("text", "tries"),
    [
        ("SSH connection was reset! This usually happens when the machine is", 2),
        ("SSH connection was refused! This usually happens if the VM failed to", 2),
        ("something that nobody has seen before", 1),
    ],
)
def test_what_may_pass_is_tried_again(
    text: str, tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that takes a slow machine longer than its sshd waits is reset."""
    calls: list[Sequence[object]] = []

    def run(words: Sequence[object], **_: object) -> Completed:
        calls.append(words)
        if len(calls) == 1:
            raise failed(stderr=text)
        return Completed(tuple(map(str, words)), 0, "", "", 0.1)

    monkeypatch.setattr("sandbox.providers.vagrant.cli.run", run)
    monkeypatch.setattr("time.sleep", lambda _: None)
    cli = VagrantCli(tmp_path, "virtualbox", log=tmp_path / "log", listener=ignore, sandbox="x")
    with nullcontext() if tries > 1 else pytest.raises(ProviderError, match="failed"):
        cli.bring_up(timeout_s=10)
    assert len(calls) == tries


def test_without_vagrant() -> None:
    assert isinstance(explain(failed(returncode=127), ["up"]), HostError)


def test_the_last_whole_list_of_host_keys_counts() -> None:
    text = (
        "[    1.2] kernel\r\n"
        "sandbox-host-key ssh-ed25519 AAAAold\r\nsandbox-host-key end\r\n"
        "sandbox-host-key ssh-ed25519 AAAAnew\r\n"
        "login: sandbox-host-key ssh-rsa AAAB+/=\r\nsandbox-host-key end\r\n"
        "sandbox-host-key ssh-ed25519 AAAAcutoff"
    )
    assert parse_console(text) == ("ssh-ed25519 AAAAnew", "ssh-rsa AAAB+/=")
    assert parse_console("sandbox-host-key ssh-ed25519 AAAA\n") == ()


def test_a_note_says_whose_it_is() -> None:
    made = record()
    assert read_note(made.owner_note) == {"uuid": made.uuid, "box": "a b=c", "plan": "0123"}
    assert set(made.owner_note) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 =%-._~"
    )
    assert read_note("Source: /home/me/Vagrantfile") is None


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_vagrantfile_is_as_it_was_last_reviewed(provider: str) -> None:
    facts = VagrantfileHost(prefix="sandbox", console_path=Path("/pool/console.log"), driver="kvm")
    text = render_vagrantfile(record(provider=provider), facts)
    assert text == (GOLDEN / f"Vagrantfile-{provider}").read_text()


def test_versions_are_ordered_as_numbers() -> None:
    assert max(["12.9.0", "12.10.0", "0"], key=_version_key) == "12.10.0"
