"""A stand-in for `sandbox.fetch.Fetcher`: a web of files in memory, and a real store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256 as hash_of
from pathlib import Path

from sandbox.fetch.errors import AbsentFileError, FetchError, WrongSumError
from sandbox.fetch.fetcher import Fetched, LooksWrong
from sandbox.fetch.store import SourceNote, Store

NO_HEADERS: Mapping[str, str] = {}


@dataclass
class FakeFetcher:
    """Gives the bytes of `web`; a key may end with ` AGENT` for what only R's user agent gets."""

    folder: Path
    web: dict[str, bytes] = field(default_factory=dict)
    unreachable: tuple[str, ...] = ()
    """Beginnings of URLs whose server does not answer."""
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "fetched")

    def _bytes(self, url: str, headers: Mapping[str, str]) -> bytes:
        self.asked.append(url)
        if url.startswith(self.unreachable):
            raise FetchError(f"cannot fetch {url}: no answer", url=url)
        if headers.get("User-Agent", "").startswith("R/") and f"{url} AGENT" in self.web:
            return self.web[f"{url} AGENT"]
        if url not in self.web:
            raise AbsentFileError(f"cannot fetch {url}: the server does not have it (404)", url=url)
        return self.web[url]

    def exists(self, url: str, *, headers: Mapping[str, str] = NO_HEADERS) -> bool:
        try:
            self._bytes(url, headers)
        except AbsentFileError:
            return False
        return True

    def read(
        self,
        url: str,
        *,
        max_bytes: int,
        headers: Mapping[str, str] = NO_HEADERS,
        dated: bool = False,
    ) -> bytes:
        assert max_bytes
        return self._bytes(url, headers)

    def obtain(
        self,
        urls: Sequence[str],
        *,
        sha256: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        max_bytes: int = 1,
        looks_wrong: LooksWrong | None = None,
    ) -> Fetched:
        if sha256 is not None and (kept := self.store.find(sha256)) is not None:
            return Fetched(kept, sha256, kept.stat().st_size, urls[0])
        origins = [f"{url} {headers}" for url in urls]
        for url, origin in zip(urls, origins, strict=True):
            note = self.store.noted(origin)
            path = self.store.find(note.sha256) if note is not None else None
            if note is not None and path is not None:
                return Fetched(path, note.sha256, note.size_bytes, url)
        failures: list[FetchError] = []
        for url, origin in zip(urls, origins, strict=True):
            try:
                data = self._bytes(url, headers)
            except FetchError as error:
                failures.append(error)
                continue
            digest = hash_of(data).hexdigest()
            if sha256 not in {None, digest}:
                what = f"cannot fetch {url}: its SHA-256 should be {sha256}"
                failures.append(WrongSumError(what, url=url))
                continue
            with self.store.incoming(origin) as fresh:
                fresh.write_bytes(data)
                if looks_wrong is not None and (why := looks_wrong(fresh)):
                    what = f"cannot fetch {url}: what came is not the file: {why}"
                    failures.append(FetchError(what, url=url))
                    continue
                path = self.store.keep(fresh, digest)
            self.store.note(origin, SourceNote(url=url, sha256=digest, size_bytes=len(data)))
            return Fetched(path, digest, len(data), url)
        raise min(failures, key=lambda one: isinstance(one, AbsentFileError))
