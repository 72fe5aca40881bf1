"""Files made from plans: golden ones, and quoting that holds for any text."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from sandbox.errors import BoxError
from sandbox.plan import Plan
from sandbox.quoting import ruby, sh, yaml
from sandbox.render import (
    Certificate,
    jinja_environment,
    not_templates,
    provision_vars,
    render_bootstrap,
    rendered_files,
)
from sandbox.spec.models import Limits, Mirror, System, User
from sandbox.spec.r import R
from tests.unit.factories import plain_plan, shiny_plan, shiny_sandbox

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "'; touch /tmp/x; '",
    "$(id)",
    "`id`",
    "#{`id`}",
    "{{ 7 * 7 }}",
    "\\",
    "'\\''",
    "a\nb",
    "",
)


def mirrored_plan() -> Plan:
    system = System(
        mirror=Mirror(debian="http://mirror.example/debian"),
        proxy="http://user:word@proxy.example:3128",
    )
    return plain_plan().model_copy(update={"system": system})


@pytest.mark.parametrize(
    ("plan", "golden"),
    [(shiny_plan(), "bootstrap.sh"), (mirrored_plan(), "bootstrap-mirror.sh")],
)
def test_bootstrap_is_as_it_was_last_reviewed(plan: Plan, golden: str) -> None:
    certificates = (Certificate("sandbox-1-house.crt", "-----BEGIN\nabc\n-----END"),)
    used = certificates if plan.system.mirror else ()
    assert render_bootstrap(plan, used) == (GOLDEN / golden).read_text()


def test_vars_are_as_they_were_last_reviewed() -> None:
    text = provision_vars(shiny_plan(), Path("/state/shiny")).for_ansible()
    assert text == (GOLDEN / "vars.json").read_text()


def test_an_undefined_name_in_a_template_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        jinja_environment().from_string("{{ nothing_of_that_name }}").render()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_certificate_stays_one_word(text: str) -> None:
    script = render_bootstrap(plain_plan(), (Certificate("sandbox-1-x.crt", text),))
    assert f'if put "$file" {shlex.quote(text)}; then' in script


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_sh_makes_one_word_of_any_text(text: str) -> None:
    assert shlex.split(f"x {sh(text)} y") == ["x", text, "y"]


def test_sh_refuses_what_no_shell_can_hold() -> None:
    with pytest.raises(BoxError, match="NUL"):
        sh("a\0b")


@given(st.text())
def test_ruby_leaves_nothing_to_interpolate_or_close(text: str) -> None:
    literal = ruby(text)
    if literal.startswith("'"):
        assert re.fullmatch(r"'(?:[^'\\]|\\\\|\\')*'", literal, re.DOTALL)
        assert re.sub(r"\\(.)", r"\1", literal[1:-1], flags=re.DOTALL) == text
    else:
        assert re.fullmatch(r'"(?:[A-Za-z0-9 _./:,=-]|\\u\{[0-9A-F]+\}|\\x[0-9A-F]{2})*"', literal)


def test_ruby_writes_other_values_as_ruby_does() -> None:
    assert ruby({"a": [1, None, True, 2.5, "it's"]}) == r"{'a' => [1, nil, true, 2.5, 'it\'s']}"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_yaml_is_read_back_the_same_by_yaml_and_json(value: object) -> None:
    text = yaml(value)  # type: ignore[arg-type]  # hypothesis does not know its own types
    assert json.loads(text) == value
    assert pyyaml.safe_load(text) == value


@given(st.text())
def test_every_string_for_ansible_is_marked_as_no_template(text: str) -> None:
    marked = json.dumps(not_templates({"a": [text, 1, None, {"b": text}]}))
    assert json.loads(marked) == {
        "a": [{"__ansible_unsafe": text}, 1, None, {"b": {"__ansible_unsafe": text}}]
    }


def test_vars_say_what_the_plan_says() -> None:
    plan = shiny_plan().model_copy(
        update={
            "system": System(
                timezone="Asia/Tokyo",
                locale="ja_JP.UTF-8",
                environment={"A": "1"},
                limits=Limits(nofile=4096),
            ),
            "r": R(version="4.2", blas="openblas", options={"digits": 5}, repos={"X": "file:///x"}),
            "users": (User(name="ada", groups=("staff",), sudo=True),),
        }
    )
    made = provision_vars(plan, Path("/state/shiny"))
    assert made.system_environment == {"A": "1", "TZ": "Asia/Tokyo"}
    assert made.r_environment == {"A": "1", "TZ": "Asia/Tokyo", "LANG": "ja_JP.UTF-8"}
    assert (made.system_limit_nofile, made.servers["shiny_server_limit_nofile"]) == (4096, 4096)
    assert (made.r_blas, made.r_options, made.r_repos) == (
        "openblas",
        {"digits": 5},
        {"X": "file:///x"},
    )
    assert made.apps_list[0].archive == "/state/shiny/apps/faithful.tar"
    assert made.users_list[0].sudo


def test_a_timezone_variable_of_the_box_wins() -> None:
    plan = plain_plan().model_copy(
        update={"system": System(timezone="Asia/Tokyo", environment={"TZ": "UTC"})}
    )
    assert provision_vars(plan, Path()).system_environment["TZ"] == "UTC"


def test_a_machine_without_r_is_told_so() -> None:
    made = provision_vars(plain_plan(), Path())
    assert (made.r_wanted, made.servers["shiny_server_wanted"]) == (False, False)


def test_render_lists_every_file() -> None:
    paths = [str(file.path) for file in rendered_files(shiny_sandbox())]
    assert paths == ["bootstrap.sh", "ansible/vars.json", "plan.json"]


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    plan = plain_plan().model_copy(update={"ca_certificates": (tmp_path / "gone.pem",)})
    with pytest.raises(BoxError, match=r"gone\.pem"):
        render_bootstrap(plan)
