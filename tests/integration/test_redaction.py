"""Secrets are hidden by the script that runs on the host, before a byte leaves it."""

import subprocess

import pytest

from sandbox.probe.collect import compose
from tests.secrets_of_all_shapes import HARMLESS, PLANTED, SECRETS, SEVERAL_LINES

_LAST = "\nprobe_everything"


def _functions() -> str:
    script = compose("BOUNDARY")
    return script[: script.rindex(_LAST)]


def _through(text: str, *, call: str = "hide", shell: str = "sh") -> str:
    """What the real script lets out of `text`."""
    # Not on standard input, which is the script itself
    script = f"{_functions()}\n{call} <<'TEXT_ENDS_HERE'\n{text}\nTEXT_ENDS_HERE\n"
    done = subprocess.run(
        [shell, "-s"], input=script, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("text", SECRETS.values(), ids=list(SECRETS))
def test_a_secret_does_not_leave_the_host(text: str) -> None:
    out = _through(f"before = 1\n{text}\nafter = 2")
    assert PLANTED.lower() not in out.lower()
    assert "<redacted>" in out
    assert out.startswith("before = 1\n")
    assert out.endswith("\nafter = 2\n")


@pytest.mark.parametrize("text", SEVERAL_LINES.values(), ids=list(SEVERAL_LINES))
def test_nor_one_over_several_lines(text: str) -> None:
    assert PLANTED not in _through(text)


@pytest.mark.parametrize("call", ["hide", "hide_words"])
def test_what_is_harmless_comes_through(call: str) -> None:
    text = "\n".join(HARMLESS)
    assert _through(text, call=call) == f"{text}\n"


def test_the_name_of_a_secret_is_kept() -> None:
    out = _through("API_KEY=abc def\nwww-port=8787\npassword = x")
    assert out == "API_KEY=<redacted>\nwww-port=8787\npassword = <redacted>\n"


def test_an_r_that_chatters_about_secrets() -> None:
    """What profiles print before R's facts passes the same filter; the facts themselves do not."""
    text = f"connecting with password={PLANTED}\nBOUNDARY\tfact\tversion\t4.2.2"
    assert _through(text, call="hide_words").splitlines()[1] == "BOUNDARY\tfact\tversion\t4.2.2"
    assert PLANTED not in _through(text, call="hide_words")


def test_a_sed_that_cannot_hide_lets_nothing_out() -> None:
    script = f"{_functions()}\nHIDE='s/(broken'\nprintf 'DB_PASSWORD={PLANTED}\\n' | hide\n"
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == ""
