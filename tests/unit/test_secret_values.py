"""Which secrets a plan needs, and values that nothing shows or saves."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.events import ignore
from sandbox.provision import bootstrap, provision
from sandbox.render import provision_vars, render_bootstrap, rendered_files
from sandbox.secret_values import NO_VALUES, SecretValues, needed_secrets, without_secrets
from sandbox.spec.values import Secret
from sandbox.ssh import SshTarget
from tests.unit.factories import secret_plan, secret_sandbox, shiny_plan

PLANTED = "pLaNt3d$'\"\\ x"
VALUES = SecretValues(
    {
        "SALES_DB": PLANTED,
        "CRAN_URL": "https://me:pLaNt3d@cran.example.org",
        "PROXY": "http://me:pLaNt3d@proxy.example:3128",
    }
)


def test_a_plan_tells_what_it_needs_and_where() -> None:
    needed = {one.name: one for one in needed_secrets(secret_plan())}
    assert list(needed) == ["CRAN_URL", "PROXY", "SALES_DB"]
    assert needed["SALES_DB"].places == ("system.environment.SALES_DB", "r.options.sales.password")
    assert needed["CRAN_URL"].kinds == {"repository"}
    assert needed_secrets(shiny_plan()) == ()


@pytest.mark.parametrize(
    ("name", "value", "trouble"),
    [
        ("SALES_DB", PLANTED, None),
        ("SALES_DB", "", "it is empty"),
        ("SALES_DB", "two\nlines", "it is not one line of text without control characters"),
        ("SALES_DB", "x" * 4097, "it is longer than 4096 characters"),
        ("SALES_DB", "\udcff", "it is not valid there"),
        ("CRAN_URL", "https://me:word@cran.example.org", None),
        ("CRAN_URL", "file:///srv/cran", None),
        ("CRAN_URL", "pLaNt3d", "it is not a URL that starts with http://, https:// or file://"),
        ("PROXY", "file:///srv", "it is not a URL that starts with http:// or https://"),
    ],
)
def test_a_value_must_fit_where_it_is_to_stand(name: str, value: str, trouble: str | None) -> None:
    needed = {one.name: one for one in needed_secrets(secret_plan())}
    assert needed[name].trouble_with(value) == trouble


def test_values_are_not_shown_and_not_saved() -> None:
    assert repr(VALUES) == str(VALUES) == "SecretValues(CRAN_URL, PROXY, SALES_DB)"
    for save in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            save(VALUES)


def test_values_are_hidden_in_text_however_a_tool_writes_them() -> None:
    said = f"plain {PLANTED} json {json.dumps(PLANTED)} repr {PLANTED!r}"
    assert VALUES.hide(said).count("<secret SALES_DB>") == 3
    assert "pLaNt3d" not in VALUES.hide(said)
    # A value that stands in any text would only make that unreadable
    assert SecretValues({"PIN": "1"}).hide("1 of 12 tasks") == "1 of 12 tasks"


def test_what_can_be_read_has_the_names_alone(tmp_path: Path) -> None:
    files = "\n".join(file.content for file in rendered_files(secret_sandbox(), tmp_path))
    assert "<secret PROXY>" in files
    assert "<secret CRAN_URL>" in files
    assert files.count("<secret SALES_DB>") == 3


def test_ansible_is_told_where_the_values_are() -> None:
    text = provision_vars(secret_plan(), Path("/x")).for_ansible()
    sales, url = (
        f"{{{{ lookup('ansible.builtin.env', 'SANDBOX_SECRET_{name}') }}}}"
        for name in ("SALES_DB", "CRAN_URL")
    )
    found = json.loads(text)
    assert found["system_environment"]["SALES_DB"] == sales
    assert found["r_environment"]["SALES_DB"] == sales
    assert found["r_options"] == {"sales.password": sales, "digits": 7}
    assert found["r_repos"] == {"CRAN": url}
    assert found["secrets_are_given"] is True
    assert found["system_environment"]["OMP_NUM_THREADS"] == {"__ansible_unsafe": "1"}


def test_a_variable_that_is_called_secret_is_none() -> None:
    plan = secret_plan()
    r = plan.r.model_copy(update={"options": {"secret": "SALES_DB"}}) if plan.r else None
    found = json.loads(provision_vars(plan.model_copy(update={"r": r}), Path("/x")).for_ansible())
    assert found["r_options"] == {"secret": {"__ansible_unsafe": "SALES_DB"}}


def test_the_bootstrap_script_is_given_the_values() -> None:
    script = render_bootstrap(secret_plan(), (), VALUES)
    assert 'Acquire::http::Proxy "http://me:pLaNt3d@proxy.example:3128";' in script


def test_nothing_is_provisioned_with_placeholders(tmp_path: Path) -> None:
    def root_shell(*_: object, **__: object) -> None:
        pytest.fail("it was run")

    some = SecretValues({"SALES_DB": "x"})
    with pytest.raises(SandboxError, match="without the secrets CRAN_URL, PROXY"):
        bootstrap(secret_sandbox(), root_shell, tmp_path, ignore, secrets=some)
    with pytest.raises(SandboxError, match="without the secrets CRAN_URL, PROXY, SALES_DB"):
        provision(secret_sandbox(), SshTarget("shiny"), tmp_path, ignore)
    assert list(tmp_path.iterdir()) == []


def test_the_bootstrap_script_that_is_kept_has_no_value(tmp_path: Path) -> None:
    ran: list[str] = []

    def root_shell(script: str, **_: object) -> None:
        ran.append(script)

    bootstrap(secret_sandbox(), root_shell, tmp_path, ignore, secrets=VALUES)
    assert "pLaNt3d" in ran[0]
    assert "pLaNt3d" not in (tmp_path / "bootstrap.sh").read_text()


def test_a_plan_without_its_secrets_is_the_plan_of_a_box_that_never_had_any() -> None:
    bare = without_secrets(secret_plan())
    assert needed_secrets(bare) == ()
    assert bare.r is not None
    assert (bare.r.options, bare.r.repos, bare.system.proxy) == ({"digits": 7}, {}, None)
    assert bare.system.environment == {"OMP_NUM_THREADS": "1"}
    assert without_secrets(shiny_plan()) == shiny_plan()


def test_no_values_shows_names() -> None:
    assert NO_VALUES.of(Secret(secret="A")) == "<secret A>"
    assert NO_VALUES.of(7) == 7
