"""Start the mirror by hand: `python -m tests.mirror --port 8000`.

Then `mirrors:` of a box (or of ~/.config/sandbox/config.yml) names what it prints.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mirror.contents import NoMirrorError, prepare
from tests.mirror.server import Mirror, serving, wait_for_ever

_MIRRORS = ("cran", "bioconductor", "github", "rstudio")


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.mirror", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--folder", type=Path, help="where the files are kept between runs")
    parser.add_argument("--rstudio", type=Path, help="folder with RStudio's packages below server/")
    parser.add_argument("--today", help="the day that `latest` shows, e.g. 2023-06-12")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        try:
            contents = prepare(given.folder)
        except NoMirrorError as error:
            print(error, file=sys.stderr)  # noqa: T201
            return 1
        with serving(contents, given.rstudio or Path(empty), port=given.port) as mirror:
            if given.today:
                mirror.settings.today = given.today
            print(_help(mirror), flush=True)  # noqa: T201
            try:
                wait_for_ever()
            except KeyboardInterrupt:
                return 0
    return 0


def _help(mirror: Mirror) -> str:
    lines = [mirror.url, "", "mirrors:", f"  posit: {mirror.url}"]
    lines += [f"  {name}: {mirror.url}/{name}" for name in _MIRRORS]
    return "\n".join(lines)


sys.exit(main())
