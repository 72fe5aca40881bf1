"""What a box states of a machine: no password of it, and nothing of a secret."""

from sandbox.facts.hashes import Hashes
from sandbox.facts.planned import PlannedPackage
from sandbox.facts.sides import side_of_plan
from sandbox.obtained import Materials, Obtained
from sandbox.plan import Plan
from sandbox.probe.untaken import compare, new_key, placeholder
from tests.unit.factories import secret_plan

PASSWORD = "pLaNt3d!"


def plan_with_password() -> Plan:
    plan = secret_plan()
    environment = {**plan.system.environment, "DB": PASSWORD, "REGION": "4"}
    system = plan.system.model_copy(update={"environment": environment})
    assert plan.r is not None
    repos = {**plan.r.repos, "OURS": f"https://me:{PASSWORD}@x.org/", "CRAN2": "https://x.org/"}
    r = plan.r.model_copy(update={"options": {"db": PASSWORD, "digits": 7}, "repos": repos})
    return plan.model_copy(update={"system": system, "r": r})


def test_passwords_of_a_box_are_not_stated_and_its_secrets_not_at_all() -> None:
    stated = side_of_plan(plan_with_password()).stated
    assert stated is not None
    assert stated["r.environment"] == {"DB": placeholder(PASSWORD), "REGION": "4"}
    assert stated["r.threads"] == {"OMP_NUM_THREADS": "1"}
    assert stated["r.option"] == {"db": f'"{placeholder(PASSWORD)}"', "digits": "7"}
    assert stated["r.repo"] == {
        "OURS": placeholder(f"https://me:{PASSWORD}@x.org/"),
        "CRAN2": "https://x.org",
    }
    assert "pLaNt3d" not in repr(stated)


def test_with_the_other_sides_key_they_can_be_compared() -> None:
    key = new_key()
    stated = side_of_plan(plan_with_password(), Hashes(key=key.digits)).stated
    assert stated is not None
    ours = stated["r.environment"]["DB"]
    assert isinstance(ours, str)
    assert compare(ours, placeholder(PASSWORD, key)) == "equal"
    assert compare(ours, placeholder("others!!", key)) == "differs"


def test_fetched_packages_are_stated_at_their_very_versions() -> None:
    plan = secret_plan()
    version = plan.rs[0].version
    files = tuple(
        Obtained(
            kind="r_package", name=name, version="1.8-4", file_name=f"{name}.tar.gz", url="x",
            sha256="0" * 64, size_bytes=1, r=r,
        )
        for name, r in (("DBI", version), ("digest", "3.6.0"))
    )  # fmt: skip
    stated = side_of_plan(plan.with_materials(Materials(files=files))).stated
    assert stated is not None
    assert stated["r.package"] == {"DBI": "1.8-4"}
    assert stated["r.installed"]["DBI"] == "installed"
    planned = stated["r.package"]["DBI"]
    assert isinstance(planned, PlannedPackage)
    assert [planned.judge(one) for one in ("1.8-4", "1.8.4", None)] == [
        "equal",
        "differs",
        "differs",
    ]
