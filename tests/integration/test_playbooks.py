"""The playbooks and scripts with the real tools, on this host: nothing of it is changed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.errors import ProvisionError
from sandbox.events import ignore
from sandbox.plan import Plan
from sandbox.provision import play, provision
from sandbox.quoting import sh
from sandbox.render import Certificate, not_templates, render_bootstrap
from sandbox.ssh import SshTarget
from tests.conftest import cannot_run
from tests.unit.factories import placed, shiny_plan
from tests.unit.test_render import mirrored_plan

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HERE = SshTarget(host="localhost")


def tool(name: str) -> str:
    path = shutil.which(name, path=f"{BIN}:{os.environ['PATH']}")
    if path is None:
        cannot_run(f"{name} is not installed")
    return path


def run(*argv: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in argv],
        cwd=ROOT,
        env={
            **os.environ,
            **dict.fromkeys(("ANSIBLE_HOME", "TMPDIR"), str(home)),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_playbook_is_well_formed(tmp_path: Path) -> None:
    done = run(
        tool("ansible-playbook"),
        *(
            "--syntax-check",
            "-i",
            "localhost,",
            "-e",
            "r_wanted=true shiny_server_wanted=true nginx_wanted=true",
        ),
        ROOT / "playbooks" / "site.yml",
        home=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_ansible_lint_finds_nothing(tmp_path: Path) -> None:
    done = run(
        *(tool("ansible-lint"), "--offline", "-q", "--profile", "production"),
        ROOT / "playbooks" / "site.yml",
        home=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("plan", [shiny_plan(), mirrored_plan()], ids=["plain", "mirror"])
def test_shellcheck_finds_nothing_in_the_bootstrap_script(plan: Plan, tmp_path: Path) -> None:
    script = tmp_path / "bootstrap.sh"
    hostile = Certificate("sandbox-1-x.crt", "'; $(touch x) `y` \\")
    script.write_text(render_bootstrap(plan, (hostile,)))
    done = run(tool("shellcheck"), "-S", "warning", script, home=tmp_path)
    assert done.returncode == 0, done.stdout


def test_shellcheck_finds_nothing_in_the_roles_scripts(tmp_path: Path) -> None:
    scripts = sorted((ROOT / "playbooks" / "roles").glob("*/files/*.sh"))
    assert scripts
    done = run(tool("shellcheck"), "-s", "sh", *scripts, home=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "",
        "'",
        "a'b\"c",
        "$(touch mark) `touch mark`",
        "\\",
        "a\\'b",
        "-n",
        "x\ny\n",
        "é\u2028\U0001f600",
    ],
)
def test_a_real_shell_reads_back_what_was_quoted(text: str, tmp_path: Path) -> None:
    script = f"printf '[%s]' {sh(text)} {sh(text + 'x')}"
    done = subprocess.run(
        ["/bin/sh", "-s"], input=script, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"[{text}][{text}x]"
    assert list(tmp_path.iterdir()) == []


def hand_over(text: object, tmp_path: Path) -> None:
    """Run a playbook that does with `text` what the roles do with text of a box."""
    variables = {"text": text, "nested": {"list": [{"name": text}]}}
    (tmp_path / "vars.json").write_text(json.dumps({"folder": str(tmp_path), **variables}))
    play(
        Path(__file__).parent / "playbooks" / "hand_over.yml",
        HERE,
        tmp_path / "ansible",
        extra=("-e", f"@{tmp_path / 'vars.json'}"),
        log=tmp_path / "log",
        timeout_s=120,
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ lookup('ansible.builtin.pipe', 'touch MARK') }}",
        "{% for x in [1] %}{{ lookup('pipe', 'touch MARK') }}{% endfor %}",
        "{# #}{{ query('pipe', 'touch MARK') }}#{`touch MARK`}$(touch MARK)",
    ],
)
def test_text_of_a_box_is_never_run_as_a_template(template: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = template.replace("MARK", str(mark))
    hand_over(not_templates(text), tmp_path)
    assert not mark.exists()
    assert (tmp_path / "content").read_text() == text
    assert (tmp_path / "argument").read_text() == text
    assert text in (tmp_path / "block").read_text().splitlines()


def test_the_same_text_unmarked_would_run(tmp_path: Path) -> None:
    # So that the test above proves something: Ansible does run what is not marked
    mark = tmp_path / "mark"
    hand_over(f"{{{{ lookup('ansible.builtin.pipe', 'touch {mark}') }}}}", tmp_path)
    assert mark.exists()


def test_nothing_of_the_users_own_ansible_is_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "user"
    home.mkdir()
    (home / ".ansible.cfg").write_text("[defaults]\nstdout_callback = nonesuch\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "nonesuch")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(home / ".ansible.cfg"))
    monkeypatch.setenv("TMPDIR", str(home))
    left = tmp_path / "ansible/tmp/ansible-tmp-of-a-killed-run"
    left.mkdir(parents=True)
    hand_over(not_templates("x"), tmp_path)
    assert [path.name for path in home.iterdir()] == [".ansible.cfg"]
    assert not left.exists()


def test_a_machine_that_cannot_be_reached_is_told_as_such(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    # Port 9 of this host: nothing listens there
    config.write_text("Host shiny\n  HostName 127.0.0.1\n  Port 9\n  ConnectTimeout 2\n")
    plan = shiny_plan().model_copy(update={"apps": ()})
    with pytest.raises(ProvisionError) as failure:
        provision(placed(plan), SshTarget("shiny", config), tmp_path, ignore, timeout_s=120)
    assert failure.value.message.startswith("the connection to the machine was lost in `")
    assert "refused" in failure.value.details
    assert "provision.log" in failure.value.hint


def test_a_machine_lost_in_a_loop_says_why_and_at_which_item(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text("Host shiny\n  HostName 127.0.0.1\n  Port 9\n  ConnectTimeout 2\n")
    with pytest.raises(ProvisionError) as failure:
        play(
            Path(__file__).parent / "playbooks" / "loop.yml",
            SshTarget("shiny", config),
            tmp_path / "ansible",
            extra=(),
            log=tmp_path / "log",
            timeout_s=120,
        )
    assert failure.value.message == "the connection to the machine was lost in `Ask twice` (first)"
    assert "refused" in failure.value.details
    assert "All items completed" not in failure.value.details


def test_what_a_box_keeps_secret_is_not_in_the_log(tmp_path: Path) -> None:
    hand_over(not_templates("a-very-secret-word"), tmp_path)
    assert "a-very-secret-word" not in (tmp_path / "log").read_text()
    assert (tmp_path / "ansible" / "inventory.json").stat().st_mode & 0o777 == 0o600
