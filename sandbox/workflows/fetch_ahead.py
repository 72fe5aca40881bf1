"""Fetch the packages of a plan while its base image is built: both mostly wait for the mirror.

What is fetched is a guess, of the build's apt: `bring_files` asks the machine's own apt later, and
takes from the store what that names, by its checksum. A wrong guess costs only the download.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.images.build import Ahead
from sandbox.materials.debs import WantedDeb, wanted_debs
from sandbox.placement import Placement
from sandbox.workflows.context import Context

if TYPE_CHECKING:
    from sandbox.fetch.fetcher import Fetcher

_AT_ONCE = 4
"""Downloads side by side; the build has its own."""


@contextmanager
def fetching_ahead(placement: Placement, context: Context) -> Iterator[Ahead | None]:
    """Yield the one to tell; what it has not begun to fetch at the end of the block is left out.

    None where the machine's packages do not come from this host, or come from a lock.
    """
    plan = placement.plan
    if not context.place.is_local or plan.locked is not None:
        yield None
        return
    pool = ThreadPoolExecutor(_AT_ONCE)
    fetchers: list[Fetcher] = []

    def fetch(deb: WantedDeb) -> None:
        # The machine's own apt will be asked, and tried: nothing is lost
        with suppress(SandboxError, OSError):
            fetchers[0].obtain([deb.url], sha256=deb.sha256, max_bytes=deb.size_bytes)

    def tell(line: str) -> None:
        for deb in wanted_debs(line):
            if not fetchers:
                fetchers.append(context.fetcher(plan))
            pool.submit(fetch, deb)

    try:
        yield Ahead(plan.apt_packages, tell)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
