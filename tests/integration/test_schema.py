"""The JSON Schema of boxes with what reads it: a strict validator, a real editor's server."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.paths import cache_dir, data_dir
from sandbox.spec.bases import load_bases
from sandbox.spec.schema import SCHEMA_FILE, box_schema
from tests.conftest import cannot_run
from tests.schema_patterns import patterns

SCHEMA = data_dir("boxes") / SCHEMA_FILE
EDITOR = Path(__file__).parent / "editor"


def check_jsonschema(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("check-jsonschema")
    if not program.exists():
        cannot_run("check-jsonschema is not installed: make lint brings it")
    return subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_strict_validator_takes_the_schema() -> None:
    done = check_jsonschema("--check-metaschema", SCHEMA)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_strict_validator_takes_our_boxes_and_refuses_a_wrong_one(tmp_path: Path) -> None:
    done = check_jsonschema("--schemafile", SCHEMA, *sorted(SCHEMA.parent.glob("*.yml")))
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("version: 1\nbase: debian-12\nmashine: {cpus: 2}\n")
    done = check_jsonschema("--schemafile", SCHEMA, wrong)
    assert done.returncode == 1
    assert "mashine" in done.stdout


def node() -> str:
    found = shutil.which("node")
    if found is None:
        cannot_run("node is not installed: tools/prepare.sh --test brings it")
    return found


def test_every_pattern_is_one_of_javascript_too() -> None:
    script = """
      const wrong = []
      for (const text of JSON.parse(require('fs').readFileSync(0, 'utf8')))
        try { new RegExp(text, 'u') } catch (error) { wrong.push(`${text}: ${error.message}`) }
      console.log(JSON.stringify(wrong))
    """
    every = sorted(set(patterns(box_schema())))
    assert len(every) > 10
    done = subprocess.run(
        [node(), "-e", script],
        input=json.dumps([*every, r"\Z"]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (told,) = json.loads(done.stdout)
    assert told.startswith(r"\Z: ")


@pytest.fixture(scope="session")
def server() -> Path:
    """yaml-language-server, installed once on this machine, at the versions of the lock file."""
    node()
    npm = shutil.which("npm")
    if npm is None:
        cannot_run("npm is not installed: tools/prepare.sh --test brings it")
    version = json.loads((EDITOR / "package.json").read_text())["dependencies"][
        "yaml-language-server"
    ]
    place = cache_dir().with_name("sandbox-tests") / f"yaml-language-server-{version}"
    program = place / "node_modules/yaml-language-server/bin/yaml-language-server"
    if not program.exists():
        fresh = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.copytree(EDITOR, fresh)
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=fresh,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(fresh)
            cannot_run(f"npm cannot install yaml-language-server: {done.stderr[-500:]}")
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    return program


class Editor:
    """Just enough of an editor to ask the server what it thinks of one file."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [node(), program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._number = 0
        self._told: list[dict[str, Any]] = []
        capabilities = {"workspace": {"configuration": True}}
        self.ask("initialize", processId=None, rootUri=None, capabilities=capabilities)
        self._send({"method": "initialized", "params": {}})

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def open(self, text: str) -> tuple[str, list[str]]:
        """Show it a box of that text; what it finds wrong."""
        self._number += 1
        uri = f"file:///nowhere/box-{self._number}.yml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for one in self._told:
                if one.get("method") == "textDocument/publishDiagnostics":
                    params = one["params"]
                    if params["uri"] == uri:
                        return uri, [found["message"] for found in params["diagnostics"]]
            self._told.append(self._next())
        pytest.fail("the server said nothing about the file within 30 s")

    def completions(self, uri: str, line: int, character: int) -> list[str]:
        """What it would complete there."""
        position = {"line": line, "character": character}
        done = self.ask("textDocument/completion", textDocument={"uri": uri}, position=position)
        return [item["label"] for item in done["items"]]

    def ask(self, method: str, **params: object) -> Any:
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        while True:
            answer = self._next()
            if answer.get("id") == number and "method" not in answer:
                return answer["result"]
            self._told.append(answer)

    def _next(self) -> dict[str, Any]:
        """The next message; what the server itself asks for is answered on the way."""
        stream = self._process.stdout
        assert stream is not None
        length = 0
        while (head := stream.readline().strip()) != b"":
            if head.lower().startswith(b"content-length:"):
                length = int(head.split(b":")[1])
        assert length, "the server has gone"
        message: dict[str, Any] = json.loads(stream.read(length))
        if "id" in message and "method" in message:
            yaml = {"validate": True, "completion": True, "schemaStore": {"enable": False}}
            yaml["schemas"] = {SCHEMA.as_uri(): "*.yml"}
            asked = message["params"].get("items", []) if message["params"] else []
            result = [yaml if item["section"] == "yaml" else {} for item in asked]
            self._send({"id": message["id"], "result": result})
        return message

    def _send(self, message: dict[str, object]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream = self._process.stdin
        assert stream is not None
        stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        stream.flush()


@pytest.fixture
def editor(server: Path) -> Iterator[Editor]:
    its = Editor(server)
    yield its
    its.close()


def test_an_editor_finds_nothing_wrong_with_our_boxes(editor: Editor) -> None:
    for path in sorted(SCHEMA.parent.glob("*.yml")):
        text = path.read_text().replace("$schema=box.schema.json", "")
        assert editor.open(text)[1] == [], path.name


def test_an_editor_marks_a_typing_error(editor: Editor) -> None:
    _, wrong = editor.open("version: 1\nbase: debian-12\nmashine: {cpus: 2}\n")
    assert any("mashine" in message for message in wrong)


def test_an_editor_completes_keys_and_the_names_of_the_bases(editor: Editor) -> None:
    uri, _ = editor.open("version: 1\nbase: \n")
    offered = editor.completions(uri, 1, 6)
    assert set(load_bases()) <= set(offered)
    uri, wrong = editor.open("version: 1\nbase: our-own-debian\nmach\n")
    assert not any("our-own" in message or "enum" in message for message in wrong)
    assert "machine" in editor.completions(uri, 2, 4)
