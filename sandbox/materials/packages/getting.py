"""Get the files of packages, several at once, and look into each before it counts."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final, Protocol

from sandbox.errors import BoxError
from sandbox.fetch.errors import AbsentFileError, FetchError
from sandbox.fetch.fetcher import Fetched, LooksWrong
from sandbox.fetch.store import Store
from sandbox.materials.packages.dcf import BrokenRecordsError
from sandbox.materials.packages.inspect import PackageFile, inspect
from sandbox.materials.packages.repositories import Target
from sandbox.materials.packages.wishes import Way, Wish

_AT_ONCE: Final = 8
_MAX_BYTES: Final = 4_000_000_000
_TELL_EVERY: Final = 10
_MOST: Final = 20

Tell = Callable[[str], None]


class Fetching(Protocol):
    """What is needed of `sandbox.fetch.Fetcher`."""

    store: Store

    def exists(self, url: str, *, headers: Mapping[str, str] = ...) -> bool:
        """Ask whether there is something at a public URL."""

    def read(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str] = ..., dated: bool = ...
    ) -> bytes:
        """Return the bytes at a public URL."""

    def obtain(
        self,
        urls: Sequence[str],
        *,
        sha256: str | None = ...,
        headers: Mapping[str, str] = ...,
        max_bytes: int = ...,
        looks_wrong: LooksWrong | None = ...,
    ) -> Fetched:
        """Return a file, from the store or from the first URL that has it."""


@dataclass(frozen=True)
class Got:
    """A package's file, in the store and looked into."""

    wish: Wish
    fetched: Fetched
    file: PackageFile
    is_binary: bool


@dataclass(frozen=True)
class Demands:
    """What a file must be."""

    target: Target
    takes_binaries: bool

    def wrong(self, wish: Wish, file: PackageFile) -> str:
        """Say why the file is not what was wished for; empty when it is."""
        if other := file.not_asked_for(wish.name, wish.version):
            return other
        if not file.is_binary:
            # A repository without a binary serves source at the same address
            return (
                "it is neither source nor whole: it says how it was built, and lacks R's index"
                if file.fields.get("Built")
                else ""
            )
        if not self.takes_binaries:
            return "it is compiled already, and the box wants source (`binary: false`)"
        return file.unfit(self.target.r_minor, self.target.architecture)


class WrongFileError(FetchError):
    """The server gave a file, and it is not the package that was wished for."""


class _StoppedError(FetchError):
    """It was not asked for, since another one failed."""


class _Look:
    """Looks into a file that came, and remembers what it saw."""

    def __init__(self, wish: Wish, demands: Demands) -> None:
        self._wish, self._demands = wish, demands
        self.file: PackageFile | None = None
        self.wrong = ""

    def __call__(self, path: Path) -> str:
        self.file = None
        try:
            found = inspect(path, folder=self._wish.folder)
        except BrokenRecordsError as error:
            self.wrong = str(error)
            return self.wrong
        self.wrong = self._demands.wrong(self._wish, found)
        if not self.wrong:
            self.file = found
        return self.wrong


@dataclass
class _Getting:
    fetcher: Fetching
    demands: Demands
    stopped: Event = field(default_factory=Event)

    def get(self, wish: Wish) -> Got:
        """Go each way until one leads to a file that fits.

        Raises:
            FetchError: none does; its message is of the failure that says most.
        """
        failures = list[FetchError]()
        for way in wish.ways:
            if self.stopped.is_set():
                raise _StoppedError("not asked for: another one failed", url="")
            try:
                return self._go(wish, way)
            except FetchError as error:
                failures.append(error)
        failure = _telling(failures)
        if _is_of_the_way(failure):
            # The others would wait for the same server in vain
            self.stopped.set()
        raise failure

    def _go(self, wish: Wish, way: Way) -> Got:
        look = _Look(wish, self.demands)
        try:
            fetched = self.fetcher.obtain(
                way.urls, headers=way.headers, max_bytes=_MAX_BYTES, looks_wrong=look
            )
        except FetchError as error:
            if look.wrong and look.wrong in error.message:
                raise WrongFileError(error.message, url=error.url) from error
            raise
        # From the store it comes without that look; and the box may want other things today
        if look.file is None and (why := look(fetched.path)):
            raise WrongFileError(f"{fetched.url} is not the file: {why}", url=fetched.url)
        assert look.file is not None  # noqa: S101  (it looked, and nothing was wrong)
        return Got(wish, fetched, look.file, look.file.is_binary)


def _telling(failures: Sequence[FetchError]) -> FetchError:
    present = [one for one in failures if not isinstance(one, AbsentFileError)]
    return present[0] if present else failures[-1]


def get_all(wishes: Sequence[Wish], fetcher: Fetching, demands: Demands, tell: Tell) -> list[Got]:
    """Get every file.

    Raises:
        BoxError: some are nowhere, or are not what they should be; all of them are named.
        FetchError: the repository cannot be reached.
    """
    getting = _Getting(fetcher, demands)
    got: list[Got] = []
    absent: dict[str, str] = {}
    unreachable: FetchError | None = None
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="r-package") as pool:
        futures: dict[Future[Got], Wish] = {pool.submit(getting.get, one): one for one in wishes}
        try:
            for future in as_completed(futures):
                wish = futures[future]
                try:
                    got.append(future.result())
                except _StoppedError:
                    continue
                except FetchError as error:
                    absent[wish.name] = _line(wish, error)
                    if _is_of_the_way(error):
                        unreachable = unreachable or error
                if len(got) % _TELL_EVERY == 0 or len(got) == len(wishes):
                    tell(f"R packages: {len(got)} of {len(wishes)}")
        except BaseException:
            getting.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if unreachable is not None:
        raise unreachable
    if absent:
        lines = [absent[name] for name in sorted(absent)]
        more = [f"... and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
        count = "a package" if len(lines) == 1 else f"{len(lines)} packages"
        raise BoxError(
            f"{count} of {len(wishes)} cannot be had",
            details="\n".join([*lines[:_MOST], *more]),
            hint="nothing was changed; see whether the repository has moved them, or lock anew",
        )
    return sorted(got, key=lambda one: one.wish.name)


def _is_of_the_way(error: FetchError) -> bool:
    """Whether the next package would fail likewise: no name, no connection, a proxy."""
    return not isinstance(error, AbsentFileError | WrongFileError)


def _line(wish: Wish, error: FetchError) -> str:
    what = f"{wish.place}{wish.name} {wish.version}"
    if isinstance(error, AbsentFileError):
        urls = [url for way in wish.ways for url in way.urls]
        asked = f"{len(urls)} addresses, the last {urls[-1]}" if len(urls) > 1 else urls[0]
        return f"{what}: it is not there any more (asked: {asked})"
    return f"{what}: {error.message}"
