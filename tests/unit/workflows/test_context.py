"""Which provider is taken when nobody chose, and what stops whoever did."""

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.errors import HostError, UsageError
from sandbox.events import Event, Notice, ignore
from sandbox.providers import Registry
from sandbox.providers.fake import FakeEngine, FakeProvider
from sandbox.providers.findings import Finding
from sandbox.providers.place import Place
from sandbox.workflows.context import Context, choose_provider, require_usable

FINE = Finding(ok=True, title="it answers")
SLOW = Finding(ok=False, warning=True, doubtful=True, title="KVM works", detail="it is emulated")
DOUBT = Finding(
    ok=False,
    doubtful=True,
    title="the processor offers virtualisation",
    detail="no vmx",
    fix="the firmware",
)
MISSING = Finding(ok=False, title="it is installed", detail="no VBoxManage", fix="install it")


def chosen(
    folder: Path,
    found: dict[str, Finding],
    *,
    provider: str | None = None,
    default_provider: str | None = None,
) -> str:
    """The provider, on a host where each is as `found` says, and fine otherwise."""

    def engine_of(name: str) -> FakeEngine:
        return FakeEngine(folder, findings=(found.get(name, FINE),))

    made = Context(
        place=Place("test"),
        providers=Registry(load=lambda name: FakeProvider(engine_of(name))),
        provider=provider,
        default_provider=default_provider,
    )
    return choose_provider(made, None)


def test_the_first_usable_one_is_taken(tmp_path: Path) -> None:
    assert chosen(tmp_path, {}) == "virtualbox"
    assert chosen(tmp_path, {"virtualbox": MISSING}) == "incus"
    rest = {"virtualbox": MISSING, "incus": MISSING}
    assert chosen(tmp_path, rest) == "libvirt"
    # Emulated, it would take a quarter of an hour: better to hear what is wrong with Incus
    assert chosen(tmp_path, {**rest, "libvirt": SLOW}) == "incus"
    # With none at all, what is wrong is said about Incus, which `host setup` can mend
    everywhere = dict.fromkeys(("virtualbox", "incus", "libvirt"), MISSING)
    assert chosen(tmp_path, everywhere) == "incus"


def test_only_the_choice_by_default_keeps_away_from_a_doubtful_one(tmp_path: Path) -> None:
    assert chosen(tmp_path, {"virtualbox": DOUBT}) == "incus"
    assert chosen(tmp_path, {"virtualbox": DOUBT}, provider="virtualbox") == "virtualbox"
    assert chosen(tmp_path, {"virtualbox": DOUBT}, default_provider="virtualbox") == "virtualbox"
    with pytest.raises(UsageError, match="no provider `xen`"):
        chosen(tmp_path, {}, provider="xen")


def test_a_doubt_is_said_and_tried(tmp_path: Path) -> None:
    heard: list[Event] = []
    engine = FakeEngine(tmp_path, findings=(FINE, DOUBT, SLOW))
    require_usable(engine, heard.append, "r")
    assert heard == [
        Notice(
            "r",
            "the processor offers virtualisation? no vmx; trying all the same (the firmware)",
        ),
        Notice("r", "KVM works? it is emulated; trying all the same"),
    ]
    engine = replace(engine, findings=(DOUBT, MISSING))
    with pytest.raises(HostError, match="not ready") as caught:
        require_usable(engine, ignore, "r")
    assert caught.value.details == "it is installed: no VBoxManage"
    assert caught.value.hint == "install it"
