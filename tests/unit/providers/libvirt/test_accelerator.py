"""KVM is believed in only where it works."""

from dataclasses import replace

import pytest

from sandbox.providers.libvirt.accelerator import KvmFacts, judge

WORKS = KvmFacts("x86_64", device=True, flags=frozenset({"vmx", "sse2"}), api_version=12)


def test_kvm_where_it_works() -> None:
    assert judge(WORKS).kind == "kvm"
    assert "vmx" in judge(WORKS).reason
    assert judge(replace(WORKS, flags=frozenset({"svm"}))).kind == "kvm"


def test_a_user_who_may_not_ask_is_no_reason() -> None:
    # libvirt's daemon opens the device, not the user
    assert judge(replace(WORKS, api_version=None)).kind == "kvm"


def test_another_architecture_has_no_such_flags() -> None:
    assert judge(replace(WORKS, machine="aarch64", flags=frozenset())).kind == "kvm"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(WORKS, device=False), "no /dev/kvm"),
        (replace(WORKS, flags=frozenset({"sse2"})), "neither vmx nor svm"),
        (replace(WORKS, api_version=11), "version 11"),
        (replace(WORKS, api_version=None, error="No such device"), "No such device"),
    ],
)
def test_emulation_where_it_does_not(facts: KvmFacts, reason: str) -> None:
    found = judge(facts)
    assert found.kind == "qemu"
    assert reason in found.reason
