"""What a box calls a secret is in no facts, also where the probe takes it for harmless."""

import pytest

from sandbox.facts.conceal import conceal
from sandbox.facts.shown import shown_option, shown_value
from sandbox.facts.subjects.configs import ConfigFile
from sandbox.facts.subjects.r import RInstallations
from sandbox.probe.untaken import holds, new_key, placeholder, without_hash
from sandbox.spec.values import OptionValue, RCode, Secret
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

KEY = new_key()
NAMES = frozenset({"PIN", "sales.password", "CRAN"})
FACTS = good().facts


def doctored(**values: object) -> str:
    """The facts after `conceal`, with these in the first view of R."""
    data = FACTS.model_dump()
    data["r"][0]["views"][0].update(values)
    return conceal(type(FACTS).model_validate(data), NAMES, KEY).model_dump_json()


def test_values_of_these_names_become_placeholders_that_can_be_compared() -> None:
    data = FACTS.model_dump()
    view = data["r"][0]["views"][0]
    view.update(
        environment={"PIN": "4711", "OTHER": "4711"},
        options={"sales.password": '"production"', "digits": "7L"},
        repos={"CRAN": "https://cran.example.org"},
    )
    found = conceal(type(FACTS).model_validate(data), NAMES, KEY)[RInstallations][0].views[0]
    assert holds(found.environment["PIN"], "4711", KEY) == "equal"
    assert holds(found.options["sales.password"].strip('"'), "production", KEY) == "equal"
    assert holds(found.repos["CRAN"], "https://cran.example.org", KEY) == "equal"
    assert (found.environment["OTHER"], found.options["digits"]) == ("4711", "7L")


@pytest.mark.parametrize(
    "line",
    [
        "PIN=4711",
        "export PIN='4711'",
        'options("sales.password" = "4711")',
        "sales.password <- 4711",
        "A=1 PIN=4711",
    ],
)
def test_lines_of_files_that_set_them_are_hidden(line: str) -> None:
    assert "4711" not in doctored(startup_output=f"first\n{line}\nlast")


@pytest.mark.parametrize("key", ["PIN", "sales.password", "server.PIN", "export PIN"])
def test_settings_of_configuration_files_are_hidden_by_their_key(key: str) -> None:
    file = ConfigFile(path="/etc/x", settings={key: "4711", f"{key}S": "4712"})
    text = conceal(with_named(FACTS, configs=(file,)), NAMES, KEY).model_dump_json()
    assert "4711" not in text
    assert "4712" in text


def test_what_only_looks_like_them_stays() -> None:
    for line in ("MY_PIN=4711", "PINS=4711", "a PIN is 4711", "x.sales.password = 4711"):
        assert "4711" in doctored(startup_output=line)


def test_a_placeholder_stays_as_it_is() -> None:
    for text in (placeholder("4711", KEY), "<redacted>", "https://<redacted>@cran.example.org"):
        assert text in doctored(environment={"PIN": text})


def test_facts_of_a_box_without_secrets_are_not_touched() -> None:
    assert conceal(FACTS, frozenset(), KEY) is FACTS


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret(secret="A"), "<secret A>"),
        ("pLaNt3d!", "<not taken: 1-8 characters>"),
        (placeholder("pLaNt3d!", KEY), "<not taken: 1-8 characters>"),
        ("4", "4"),
        ("en_US.UTF-8", "en_US.UTF-8"),
        ("https://cran.example.org", "https://cran.example.org"),
    ],
)
def test_a_value_is_shown_when_it_is_known_to_be_harmless(value: str, shown: str) -> None:
    assert shown_value("X", value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret(secret="A"), "<secret A>"),
        ("pLaNt3d!", "<not taken: 1-8 characters>"),
        (True, "TRUE"),
        (7, "7L"),
        (1.5, "1.5"),
        ("4", '"4"'),
        (("4", "pLaNt3d!"), 'c("4", <not taken: 1-8 characters>)'),
        (RCode(r="c(a = 4)"), "c(a = 4)"),
        (RCode(r="login('pLaNt3d!')"), "<not taken: 17-32 characters>"),
    ],
)
def test_an_option_is_shown_part_by_part(value: OptionValue | Secret, shown: str) -> None:
    assert shown_option("X", value) == shown


def test_hashes_are_taken_out_of_any_text() -> None:
    text = f"a {placeholder('x', KEY)} b {placeholder('y' * 20, KEY)} # c"
    assert without_hash(text) == f"a {placeholder('x')} b {placeholder('y' * 20)} # c"
