"""The report in a real browser: headless Chromium, with axe-core looking for barriers."""

import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.report.page import diff_page
from tests.conftest import cannot_run
from tests.unit.report.test_page import difference, many, page

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
PAGES: dict[str, Callable[[], str]] = {
    "sandbox": page,
    "diff": lambda: diff_page(difference(), made_at="now"),
    "many": lambda: diff_page(many(30, {"r.package.own?": "never loaded"}), made_at="now"),
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[list[str]]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        cannot_run("there is no Chromium: tools/prepare.sh --test")
    with tempfile.TemporaryDirectory(prefix="chromium-") as folder:
        yield [program, *_FLAGS, f"--user-data-dir={folder}"]


def _run(command: list[str], path: Path, *options: str) -> str:
    done = subprocess.run(
        [*command, *options, path.as_uri()],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _asked(command: list[str], folder: Path, text: str, script: str, *options: str) -> Any:
    """What a script on the page finds out; the page's own policy forbids none that is inside it."""
    ending = (
        "<pre id=answer></pre><script>(async()=>{let a;try{a=await (async()=>{" + script + "})()}"
        "catch(e){a={error:String(e)}}document.getElementById('answer').textContent="
        "JSON.stringify(a)})()</script></body>"
    )
    path = folder / "asked.html"
    path.write_text(text.replace("</body>", ending))
    said = _run(command, path, "--virtual-time-budget=20000", "--dump-dom", *options)
    found = re.search(r'<pre id="answer">(.*?)</pre>', said, re.DOTALL)
    assert found is not None, said[-500:]
    answer = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(answer)


def _axe() -> str:
    spec = importlib.util.find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", PAGES)
def test_no_barriers(kind: str, chromium: list[str], tmp_path: Path) -> None:
    text = PAGES[kind]().replace("<details>", "<details open>")
    text = text.replace("</head>", f"<script>{_axe()}</script></head>")
    script = "const r=await axe.run(document);return {passes:r.passes.length,bad:r.violations.map("
    script += "v=>v.id+': '+v.nodes.map(n=>n.html.slice(0,120)+' '+n.failureSummary).join('; '))}"
    found = _asked(chromium, tmp_path, text, script)
    assert found.get("bad") == [], found
    assert found["passes"] > 10


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("width", [500, 1280])
def test_nothing_sticks_out(kind: str, width: int, chromium: list[str], tmp_path: Path) -> None:
    """Headless Chromium makes no window narrower than 500; a frame of 360 stands for a phone."""
    script = "return {page:document.documentElement.scrollWidth,window:innerWidth}"
    options = (f"--window-size={width},900",)
    found = _asked(chromium, tmp_path, PAGES[kind](), script, *options)
    assert found["page"] <= found["window"], found
    narrow = "document.body.style.width='360px';const r=[...document.querySelectorAll('main *')]"
    narrow += ".filter(e=>e.getBoundingClientRect().right>361&&e.offsetParent);"
    narrow += "return r.map(e=>e.outerHTML.slice(0,100))"
    assert _asked(chromium, tmp_path, PAGES[kind](), narrow, *options) == []


def test_it_prints(chromium: list[str], tmp_path: Path) -> None:
    path, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    path.write_text(page())
    _run(chromium, path, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.stat().st_size > 10_000


def test_a_picture_of_it_is_not_empty(chromium: list[str], tmp_path: Path) -> None:
    path, picture = tmp_path / "page.html", tmp_path / "page.png"
    path.write_text(page())
    _run(chromium, path, "--window-size=390,844", f"--screenshot={picture}")
    assert picture.stat().st_size > 20_000
