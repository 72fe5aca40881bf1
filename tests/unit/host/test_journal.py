"""The journal survives being cut off, and says when it cannot be read."""

from pathlib import Path

import pytest

from sandbox.errors import BusyError, HostError
from sandbox.host.journal import ChangeKind, Journal, setup_lock


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Journal("sandbox")


def test_intent_comes_before_the_change(journal: Journal) -> None:
    journal.intend(ChangeKind.POOL, ("sandbox",))
    assert journal.has(ChangeKind.POOL)
    assert journal.unfinished(ChangeKind.POOL)
    journal.done(ChangeKind.POOL)
    assert journal.has(ChangeKind.POOL)
    assert not journal.unfinished(ChangeKind.POOL)


def test_names_of_an_unfinished_try_are_kept(journal: Journal) -> None:
    # The second run finds half of the packages installed: they are ours all the same
    journal.intend(ChangeKind.PACKAGES, ("a", "b", "c"))
    journal.intend(ChangeKind.PACKAGES, ("c", "d"))
    journal.done(ChangeKind.PACKAGES)
    assert Journal("sandbox").names(ChangeKind.PACKAGES) == ("a", "b", "c", "d")


def test_what_is_in_place_counts_as_made(journal: Journal) -> None:
    # Killed after the change and before its entry: the next run finds nothing left to do
    journal.intend(ChangeKind.POOL, ("sandbox",))
    journal.done(ChangeKind.POOL)
    journal.intend(ChangeKind.PROJECT, ("sandbox",))
    journal.settle()
    assert not journal.unfinished(ChangeKind.PROJECT)
    assert journal.names(ChangeKind.PROJECT) == ("sandbox",)


def test_nothing_made_is_nothing_to_settle(journal: Journal) -> None:
    journal.settle()
    assert not journal.path.exists()


def test_the_last_entry_takes_the_file_along(journal: Journal) -> None:
    journal.intend(ChangeKind.POOL, ("sandbox",))
    journal.intend(ChangeKind.NETWORK, ("sandboxbr0",))
    journal.forget(ChangeKind.POOL)
    assert [entry.kind for entry in journal.entries()] == [ChangeKind.NETWORK]
    journal.forget(ChangeKind.NETWORK)
    assert not journal.path.exists()
    journal.forget(ChangeKind.NETWORK)
    assert journal.entries() == ()


def test_a_write_cut_off_leaves_the_old_one(journal: Journal) -> None:
    journal.intend(ChangeKind.POOL, ("sandbox",))
    journal.path.with_suffix(".new").write_text('{"format": 1, "pre')
    assert journal.has(ChangeKind.POOL)
    journal.done(ChangeKind.POOL)
    assert not journal.unfinished(ChangeKind.POOL)


def test_a_broken_journal_is_an_error_not_a_blank_page(journal: Journal) -> None:
    journal.path.parent.mkdir(parents=True)
    journal.path.write_text("{")
    with pytest.raises(HostError) as caught:
        journal.entries()
    assert str(journal.path) in caught.value.message


def test_one_at_a_time(journal: Journal) -> None:
    with setup_lock(), pytest.raises(BusyError), setup_lock():
        pytest.fail("two at once")
    with setup_lock():
        assert journal.path.parent.is_dir()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"{", b"null"])
def test_a_journal_that_is_none_is_named(journal: Journal, content: bytes) -> None:
    journal.path.parent.mkdir(parents=True)
    journal.path.write_bytes(content)
    with pytest.raises(HostError, match="cannot read") as caught:
        journal.entries()
    assert f"mv {journal.path}" in caught.value.hint
