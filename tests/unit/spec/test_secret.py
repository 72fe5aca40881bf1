"""`{secret: NAME}` in place of a value: where it may stand, what is wrong with it, the hints."""

from pathlib import Path

import pytest

from sandbox.plan import Plan
from sandbox.resolving import resolve
from sandbox.spec.hints import hints_about
from sandbox.spec.load import load_box
from sandbox.spec.problem import InvalidBoxError
from sandbox.spec.values import Secret

HEAD = "version: 1\nbase: debian-12\n"
EVERYWHERE = """\
system:
  environment: {SALES_DB: {secret: SALES_DB}, PLAIN: x}
  proxy: {secret: PROXY}
r:
  options: {sales.password: {secret: SALES_DB}, digits: 7, ratio: 1.5, flag: true}
  repos: {CRAN: {secret: CRAN_URL}}
"""


def written(folder: Path, text: str, name: str = "box.yml") -> Path:
    path = folder / name
    path.write_text(HEAD + text)
    return path


def test_a_secret_may_stand_where_a_password_can(tmp_path: Path) -> None:
    box = load_box(written(tmp_path, EVERYWHERE)).box
    sales = Secret(secret="SALES_DB")
    assert box.system.environment == {"SALES_DB": sales, "PLAIN": "x"}
    assert box.system.proxy == Secret(secret="PROXY")
    assert box.r is not None
    assert box.r.options == {"sales.password": sales, "digits": 7, "ratio": 1.5, "flag": True}
    assert [type(one) for one in box.r.options.values()] == [Secret, int, float, bool]
    assert box.r.repos == {"CRAN": Secret(secret="CRAN_URL")}


def test_a_plan_with_secrets_is_the_same_after_a_trip_through_json(tmp_path: Path) -> None:
    plan = resolve(load_box(written(tmp_path, EVERYWHERE)))
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_key_of_a_plan_has_the_secrets_name(tmp_path: Path) -> None:
    one = resolve(load_box(written(tmp_path, EVERYWHERE)))
    other = EVERYWHERE.replace("{secret: SALES_DB}", "{secret: OTHER}")
    another = resolve(load_box(written(tmp_path, other)))
    assert one.key != another.key


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("system: {environment: {A: {scret: X}}}", "system.environment.A.scret", "unknown key"),
        ("system: {environment: {A: {}}}", "system.environment.A.secret", "is missing in"),
        ("system: {environment: {A: {secret: 5}}}", "system.environment.A.secret", "expected text"),
        ("system: {environment: {A: {secret: X, y: 1}}}", "system.environment.A.y", "unknown key"),
        ("system: {proxy: {secret: 'a b'}}", "system.proxy.secret", "a variable name of letters"),
        ("system: {proxy: {secrt: X}}", "system.proxy.secrt", "unknown key"),
        ("r: {options: {a: {x: 1}}}", "r.options.a.x", "unknown key"),
        ("r: {repos: {CRAN: {secret: ''}}}", "r.repos.CRAN.secret", "a variable name of letters"),
        ("system: {timezone: {secret: X}}", "system.timezone", "expected text"),
    ],
)
def test_what_is_wrong_with_a_secret_is_said_at_its_place(
    tmp_path: Path, text: str, key: str, message: str
) -> None:
    with pytest.raises(InvalidBoxError) as failure:
        load_box(written(tmp_path, text + "\n"))
    found = {problem.key: problem.message for problem in failure.value.problems}
    assert message in found[key]


def test_a_misspelled_secret_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(InvalidBoxError) as failure:
        load_box(written(tmp_path, "system: {environment: {A: {scret: X}}}\n"))
    assert "Perhaps you meant `secret`?" in failure.value.details


def test_extends_puts_a_secret_over_a_value_and_a_value_over_a_secret(tmp_path: Path) -> None:
    written(tmp_path, "system: {environment: {A: x, B: {secret: B}, C: {secret: C}}}\n", "up.yml")
    text = "extends: up.yml\nsystem: {environment: {A: {secret: A}, B: y, C: {secret: D}}}\n"
    environment = load_box(written(tmp_path, text)).box.system.environment
    assert environment == {"A": Secret(secret="A"), "B": "y", "C": Secret(secret="D")}


def test_a_password_in_an_address_is_hinted_at_and_not_shown(tmp_path: Path) -> None:
    text = (
        "system:\n  proxy: http://me:pLaNt3d@proxy.example:3128\n"
        "r:\n  repos:\n    CRAN: https://u:pLaNt3d@cran.example.org\n    OK: https://example.org\n"
        "  options:\n    db: pg://u:pLaNt3d@h/x\n    digits: 7\n"
    )
    hints = hints_about(load_box(written(tmp_path, text)))
    assert [(one.line, one.key) for one in hints] == [
        (4, "system.proxy"),
        (10, "r.options.db"),
        (7, "r.repos.CRAN"),
    ]
    assert all("{secret: NAME}" in one.suggestion for one in hints)
    assert "pLaNt3d" not in "\n".join(map(str, hints))
