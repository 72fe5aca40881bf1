"""A host's apt that is late is not a host without apt: the base image would be another one."""

from typing import NoReturn

import pytest

from sandbox.errors import CommandError, HostError
from sandbox.images import sources
from sandbox.run import Completed


@pytest.mark.parametrize("returncode", [None, 100, 127])
def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch, returncode: int | None) -> None:
    def run(*_: object, **__: object) -> NoReturn:
        raise CommandError("`apt-get` failed", returncode=returncode)

    monkeypatch.setattr(sources, "run", run)
    if returncode is None:
        with pytest.raises(HostError, match="does not answer"):
            sources.host_archives()
    else:
        assert sources.host_archives() == ()


def test_asked_ahead_it_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer() -> tuple[sources.Archive, ...]:
        asked.append("apt")
        return (sources.Archive("http://mirror.example.org/debian", "bookworm", "main"),)

    monkeypatch.setattr(sources, "host_archives", answer)
    with sources.archives_ahead() as archives:
        assert archives() == archives() == answer()
    assert asked == ["apt", "apt"]


def test_apt_reads_no_lists_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "Packages\thttp://mirror.example.org/debian\tbookworm\tmain\n"
    asked: list[tuple[str, ...]] = []

    def run(argv: tuple[str, ...], **_: object) -> Completed:
        asked.append(argv)
        return Completed(argv, 0, row + row.replace("Packages", "Translations"), "", 0.0)

    monkeypatch.setattr(sources, "run", run)
    (found,) = sources.host_archives()
    assert found == sources.Archive("http://mirror.example.org/debian", "bookworm", "main")
    assert "Dir::State::lists=/nonexistent/" in asked[0]
