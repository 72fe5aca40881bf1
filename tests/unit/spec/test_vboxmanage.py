"""A box may turn the knobs that stay inside the VM, and no other."""

import pytest

from sandbox.spec.vboxmanage import why_not


@pytest.mark.parametrize(
    "line",
    [("modifyvm", "--vram", "16"), ("modifyvm", "--paravirt-provider", "kvm")],
)
def test_harmless(line: tuple[str, ...]) -> None:
    assert why_not(line) is None


@pytest.mark.parametrize(
    "line",
    [
        (),
        ("modifyvm",),
        ("modifyvm", "--vram"),
        ("modifyvm", "--vram", "16", "--vrde"),
        ("modifyvm", "--vrde", "on"),
        ("modifyvm", "--uart-mode1", "file"),
        ("modifyvm", "--snapshot-folder", "x"),
        ("modifyvm", "--nat-tftp-prefix1", "x"),
        ("modifyvm", "--natpf1", "x"),
        ("modifyvm", "--nic1", "bridged"),
        ("modifyvm", "--vram", "/etc/passwd"),
        ("modifyvm", "--vram", "--vrde"),
        ("setextradata", "--vram", "16"),
        ("sharedfolder", "--vram", "16"),
        ("unregistervm", "--delete", "x"),
        ("--nologo", "--vram", "16"),
    ],
)
def test_reaches_beyond(line: tuple[str, ...]) -> None:
    assert why_not(line) is not None


def test_a_typing_error_is_named() -> None:
    wrong = why_not(("modifyvm", "--vramm", "16"))
    assert wrong is not None
    assert "--vram`" in wrong[1]
