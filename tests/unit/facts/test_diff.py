"""The machine of the samples against itself, changed in one place at a time."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.checks.as_planned import is_as_planned
from sandbox.facts import registry
from sandbox.facts.diff import compare
from sandbox.facts.differences import Diff, DiffOutcome, FactDiff, Selection
from sandbox.facts.facts import Facts, NotSeen
from sandbox.facts.kind import Consequence
from sandbox.facts.r_view import RPackage, RView
from sandbox.facts.sides import Side, side_of_plan
from sandbox.facts.subjects.blas import blas
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackage
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.tools import Program
from sandbox.facts.subjects.user_libraries import UserPackage
from sandbox.probe.untaken import HashKey, new_key, placeholder
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import doctored, full_plan, good
from tests.unit.factories import shiny_plan

FACTS = good().facts
SIZE = FACTS[MachineSize]


def changed(**parts: Any) -> Facts:
    return with_named(FACTS, **parts)


def with_views(change: Callable[[RView], dict[str, Any]], *, only: str = "") -> Facts:
    r = FACTS[RInstallations][0]
    views = tuple(
        view.model_copy(update=change(view)) if only in ("", view.seen_by) else view
        for view in r.views
    )
    return changed(r=(r.model_copy(update={"views": views}), *FACTS[RInstallations][1:]))


EVERYTHING = Selection()


def diff(b: Facts, selection: Selection = EVERYTHING, a: Facts = FACTS) -> Diff:
    return compare(Side(name="prod", facts=a), Side(name="box", facts=b), selection)


def the_one(found: Diff) -> FactDiff:
    assert len(found.differences) == 1, [one.id for one in found.differences]
    return found.differences[0]


def test_a_machine_is_like_itself() -> None:
    found = diff(FACTS)
    assert found.differences == ()
    assert found.compared == found.count(DiffOutcome.EQUAL) > 30


def test_memory_that_was_not_seen_is_unreadable_and_says_why() -> None:
    machine = FACTS[MachineSize].model_copy(update={"memory_mb": None})
    hidden = NotSeen(what="memory", why="its limit is not shown")
    found = diff(changed(machine=machine, not_seen=(hidden,)), Selection(only=("machine.memory",)))
    (one,) = found.facts
    assert (one.outcome, one.note) == (DiffOutcome.UNREADABLE, "box: its limit is not shown")


def test_the_usual_umask_of_root_says_nothing_of_peoples() -> None:
    """Debian 13 gives people 0002 and root 0022: no difference of two machines."""
    only = Selection(only=("r.umask@login", "r.umask"))
    people = with_views(lambda _: {"umask": "0002"}, only="login")
    root = with_views(lambda _: {"user": "root"}, only="login")
    found = diff(people, only, a=root)
    assert found.differences == ()
    login = next(one for one in found.facts if "login" in one.seen_by)
    assert login.outcome is DiffOutcome.NOT_COMPARABLE
    assert "root" in login.note
    strict = with_views(lambda _: {"user": "root", "umask": "0027"}, only="login")
    assert the_one(diff(people, only, a=strict)).a == "0027"
    assert the_one(diff(people, only)).b == "0002"


def test_ids_of_kinds_are_unique_and_explained() -> None:
    ids = [kind.id for kind in registry.kinds()]
    assert len(ids) == len(set(ids))
    for kind in registry.kinds():
        assert (kind.of_machine is None) is not (kind.of_view is None), kind.id
        assert kind.why, kind.id
        assert not kind.why.endswith("."), kind.id
        assert kind.link.startswith("https://github.com/"), kind.id
        assert "/issues/" in kind.link or "/pull/" in kind.link, kind.id


def test_no_kind_hides_behind_another() -> None:
    """`--only library` must not mean `library.own` too, unless it is an item of it."""
    for one in registry.kinds():
        for other in registry.kinds():
            assert not one.id.startswith(f"{other.id}."), (one.id, other.id)


PERSONAL = UserPackage(user="anna", name="dplyr", version="1.0", library="/home/anna/R")
PACKAGES = (
    RPackage(name="shiny", version="1.7.3", library="/usr/lib/R/site-library", built="4.2.1"),
    RPackage(name="plumber", version="1.7.4", library="/usr/lib/R/site-library", built="4.2.1"),
)


@pytest.mark.parametrize(
    ("facts", "fact_id", "consequence", "note"),
    [
        (with_views(lambda _: {"packages": PACKAGES}), "r.package.shiny", "answers", "older"),
        (with_views(lambda _: {"timezone": "Etc/UTC"}), "r.timezone", "answers", ""),
        (with_views(lambda _: {"timezone": None}), "r.timezone", "answers", ""),
        (with_views(lambda _: {"sort_probe": ("A", "B", "a", "b")}), "r.sort", "answers", ""),
        (
            with_views(lambda v: {"options": {**v.options, "digits": "5"}}),
            "r.option.digits", "answers", "",
        ),
        (
            with_views(lambda _: {"external_software": {"BLAS": "/usr/lib/blas/libblas.so.3"}}),
            "r.blas", "answers", "",
        ),
        (with_views(lambda _: {"tempdir_exec": False}), "r.tempdir", "fails", ""),
        (
            with_views(lambda v: {"environment": {**v.environment, "SALES_DB": "x"}}),
            "r.environment.SALES_DB", "fails", "",
        ),
        (
            changed(machine=SIZE.model_copy(update={"tmp_mount_options": ("noexec",)})),
            "system.tmp", "fails", "more: noexec",
        ),
        (
            changed(machine=FACTS[MachineSize].model_copy(update={"memory_mb": 256})),
            "machine.memory", "speed", "less",
        ),
        (
            changed(os=FACTS[Os].model_copy(update={"kernel": "7"})),
            "system.kernel", "surroundings", "",
        ),
        (
            changed(user_libraries=(PERSONAL,)),
            "libraries.people", "answers", "more: dplyr 1.0",
        ),
    ],
)  # fmt: skip
def test_one_change_is_one_difference(
    facts: Facts, fact_id: str, consequence: str, note: str
) -> None:
    one = the_one(diff(facts))
    assert (one.id, str(one.consequence), one.note) == (fact_id, consequence, note)
    assert one.why
    assert one.link.startswith("https://")


def test_what_everybody_sees_is_one_fact_and_what_only_apps_see_says_so() -> None:
    both = the_one(diff(with_views(lambda _: {"timezone": "Asia/Tokyo"})))
    assert (both.id, both.seen_by) == ("r.timezone", ("login", "app"))
    alone = the_one(diff(with_views(lambda _: {"timezone": "Asia/Tokyo"}, only="shiny")))
    assert (alone.id, alone.seen_by) == ("r.timezone@app", ("app",))


def test_a_package_that_is_missing_is_said_once_as_missing() -> None:
    found = diff(with_views(lambda v: {"packages": v.packages[:1]}))
    assert {one.id for one in found.differences} == {"r.installed.plumber", "r.package.plumber"}


def test_packages_of_another_r_are_compared_where_both_have_that_r() -> None:
    main = FACTS[RInstallations][0]
    beside = main.model_copy(update={"version": "4.0.4", "home": "/opt/R/4.0.4/lib/R"})
    alone = diff(changed(r=(main, beside)))
    assert not [one for one in alone.facts if one.id.startswith("r.other-package")]
    assert "r.all" in {one.id for one in alone.facts if one.outcome is DiffOutcome.DIFFERS}
    view = beside.views[0]
    fewer = tuple(one for one in view.packages if one.name != "shiny")
    other = beside.model_copy(update={"views": (view.model_copy(update={"packages": fewer}),)})
    both = diff(changed(r=(main, other)), a=changed(r=(main, beside)))
    differing = {one.id for one in both.facts if one.outcome is DiffOutcome.DIFFERS}
    assert differing == {"r.other-package.4.0.4.shiny"}


def test_the_first_library_counts() -> None:
    own = RPackage(name="shiny", version="1.0.0", library="/home/x/R/l", built="4.2.1")
    facts = with_views(
        lambda v: {"packages": (*v.packages, own), "lib_paths": ("/home/x/R/l", *v.lib_paths)}
    )
    found = {one.id: one for one in diff(facts).differences}
    assert found["r.package.shiny"].b == "1.0.0"
    assert found["r.personal"].note == "more: shiny 1.0.0"


def test_what_could_not_be_read_is_counted_and_says_why() -> None:
    blind = changed(sshd=None, not_seen=(NotSeen(what="sshd settings", why="needs root: no sudo"),))
    found = diff(blind)
    one = next(one for one in found.facts if one.id == "access.ssh")
    assert one.outcome is DiffOutcome.UNREADABLE
    assert one.note == "box: needs root: no sudo"
    assert one not in found.differences
    unreadable = found.count(DiffOutcome.UNREADABLE)
    assert unreadable == diff(FACTS).count(DiffOutcome.UNREADABLE) + 1
    assert f"{unreadable} unreadable" in found.summary


def test_an_app_that_nobody_could_look_into_is_unreadable_not_equal() -> None:
    r = FACTS[RInstallations][0].model_copy(update={"views": FACTS[RInstallations][0].views[:1]})
    facts = changed(r=(r,), not_seen=(NotSeen(what="R inside a Shiny app", why="needs root"),))
    found = diff(facts)
    apps = [one for one in found.facts if one.seen_by == ("app",)]
    assert apps
    assert {one.outcome for one in apps} == {DiffOutcome.UNREADABLE}


def test_a_machine_without_r_is_not_comparable_in_r() -> None:
    bare = changed(r=(), unresolved_objects=None, shiny_server=None, linked_libraries=None)
    outcomes = {one.id: one.outcome for one in diff(bare).facts}
    assert outcomes["r.version"] is DiffOutcome.NOT_COMPARABLE
    assert outcomes["r.all"] is DiffOutcome.DIFFERS


def _with_password(value: str, key: HashKey | None, *, says: HashKey | None) -> Facts:
    hidden = placeholder(value, key)
    facts = with_views(lambda v: {"environment": {**v.environment, "DB_PASSWORD": hidden}})
    return facts.model_copy(update={"hash_key": says.id if says else None})


_KEY, _OTHER = new_key(), new_key()


@pytest.mark.parametrize(
    ("a", "b", "outcome", "note"),
    [
        (("x", _KEY, _KEY), ("x", _KEY, _KEY), DiffOutcome.EQUAL, ""),
        (("x", _KEY, _KEY), ("y", _KEY, _KEY), DiffOutcome.DIFFERS, "differs, values not taken"),
        (
            ("x", _KEY, _KEY),
            ("x", _OTHER, _OTHER),
            DiffOutcome.NOT_COMPARABLE,
            "both again",
        ),
        (
            ("x", _KEY, _KEY),
            ("y", _OTHER, _OTHER),
            DiffOutcome.NOT_COMPARABLE,
            "both again",
        ),
        (("x", None, _KEY), ("x", None, _KEY), DiffOutcome.NOT_COMPARABLE, "no openssl"),
        (("x", None, None), ("longer than x", None, None), DiffOutcome.DIFFERS, "values not taken"),
    ],
)
def test_values_that_were_not_taken(
    a: tuple[str, HashKey | None, HashKey | None],
    b: tuple[str, HashKey | None, HashKey | None],
    outcome: DiffOutcome,
    note: str,
) -> None:
    """Equal or not is told by hashes of one key; without them nobody says equal."""
    found = diff(_with_password(*b[:2], says=b[2]), a=_with_password(*a[:2], says=a[2]))
    one = next(one for one in found.facts if one.id == "r.environment.DB_PASSWORD")
    assert one.outcome is outcome
    assert note in one.note
    assert "#" not in f"{one.a} {one.b}"


def test_selection() -> None:
    facts = with_views(
        lambda v: {"timezone": "Asia/Tokyo", "options": {**v.options, "digits": "5"}}
    )
    ids = {one.id for one in diff(facts, Selection(only=("r.option",))).differences}
    assert ids == {"r.option.digits"}
    assert not diff(facts, Selection(only=("surroundings",))).differences
    ids = {one.id for one in diff(facts, Selection(ignore=("r.option.*",))).differences}
    assert ids == {"r.timezone"}
    accepted = diff(facts, Selection(accept={"r.timezone": "on purpose"}))
    assert [one.id for one in accepted.differences] == ["r.option.digits"]
    assert [one.accepted for one in accepted.accepted] == ["on purpose"]
    assert "2 differ (1 accepted)" in accepted.summary


def test_the_most_dangerous_come_first() -> None:
    facts = changed(
        os=FACTS[Os].model_copy(update={"kernel": "7"}),
        r=with_views(lambda _: {"timezone": "Asia/Tokyo", "tempdir_exec": False})[RInstallations],
    )
    groups = [one.consequence for one in diff(facts).differences]
    assert groups == [Consequence.ANSWERS, Consequence.FAILS, Consequence.SURROUNDINGS]


def test_what_a_virtual_machine_has_and_a_container_has_not_lies_beneath() -> None:
    """The same box by two providers: only what must differ, and nothing of R's."""
    packages = (SystemPackage(name="r-base-core", version="4.2.2"),)
    container = changed(system_packages=packages)
    machine = changed(
        os=FACTS[Os].model_copy(update={"kernel": "6.1", "virtualization": "kvm"}),
        system_packages=(
            *packages,
            SystemPackage(name="linux-image-amd64", version="6.1", manual=True),
            SystemPackage(name="grub-pc", version="2.06", manual=True),
            # With it the kernel's first file system is packed
            SystemPackage(name="zstd", version="1.5.4", manual=True),
        ),
    )
    found = diff(machine, a=container)
    assert {one.consequence for one in found.differences} == {Consequence.SURROUNDINGS}
    assert {one.id for one in found.differences} == {
        "system.kernel", "system.virtualization", "system.booting",
    }  # fmt: skip


def test_a_program_of_another_version() -> None:
    pandoc = Program(name="pandoc", path="/usr/bin/pandoc", version="2.17")
    newer = pandoc.model_copy(update={"version": "3.1"})
    one = the_one(diff(changed(tools=(newer,)), a=changed(tools=(pandoc,))))
    assert (one.id, one.a, one.b, one.note) == ("tool.pandoc", "2.17", "3.1", "newer")


@pytest.mark.parametrize(
    ("manager", "a", "b", "outcome", "note"),
    [
        ("dpkg", "1:2.3-1", "1.2.3-1", DiffOutcome.DIFFERS, "older"),
        ("dpkg", "1.0~rc1", "1.0", DiffOutcome.DIFFERS, "newer"),
        ("dpkg", "0:1.0-1", "1.0-1", DiffOutcome.EQUAL, ""),
        ("rpm", "1:1.0-1.el9", "2.0-1.el9", DiffOutcome.DIFFERS, "older"),
        ("rpm", "2_0-1", "2.0-1", DiffOutcome.EQUAL, ""),
    ],
)
def test_the_version_of_a_package_is_compared_as_its_system_compares_it(
    manager: str, a: str, b: str, outcome: DiffOutcome, note: str
) -> None:
    sides = [
        changed(package_manager=manager, system_packages=(SystemPackage(name="git", version=one),))
        for one in (a, b)
    ]
    (found,) = diff(sides[1], Selection(only=("package.git",)), a=sides[0]).facts
    assert (found.outcome, found.note) == (outcome, note)


@pytest.mark.parametrize("library", ["/usr/lib/R/lib/libRblas.so", "/usr/lib/blas/libblas.so.3"])
def test_a_blas_has_one_family_name_everywhere(library: str) -> None:
    """In a check and in a diff: R's own library is the reference BLAS."""
    view = FACTS[RInstallations][0].views[0]
    software = {**view.external_software, "BLAS": library}
    asked = view.model_copy(update={"external_software": software})
    assert blas(asked, FACTS) == {"": "reference"}
    place = "facts.r.0.views.0.external_software.BLAS"
    seen = doctored(good(), place, library)
    assert is_as_planned(seen, shiny_plan(), "r.blas", view=asked)


def test_a_box_is_compared_in_what_it_says() -> None:
    plan = full_plan()
    found = compare(Side(name="prod", facts=FACTS), side_of_plan(plan))
    assert found.compared > 10
    wrong = {one.id for one in found.differences}
    # The sample machine is smaller than the box's
    assert {one.partition(".")[0] for one in wrong} <= {"machine"}
    other = plan.model_copy(
        update={"system": plan.system.model_copy(update={"timezone": "Asia/Tokyo"})}
    )
    found = compare(Side(name="prod", facts=FACTS), side_of_plan(other))
    assert {"r.timezone", "system.timezone"} <= {one.id for one in found.differences}


def test_it_survives_json() -> None:
    found = diff(with_views(lambda _: {"timezone": "Asia/Tokyo"}))
    assert Diff.model_validate_json(found.model_dump_json()) == found


def test_libraries_that_time_did_not_suffice_for_are_unknown_with_the_reason() -> None:
    late = NotSeen(what="libraries of R's packages (login)", why="R did not answer in time")
    found = diff(changed(unresolved_objects=None, not_seen=(late,)))
    (one,) = (fact for fact in found.facts if fact.id == "objects.broken")
    assert (one.outcome, one.note) == (DiffOutcome.UNREADABLE, "box: R did not answer in time")


@pytest.mark.parametrize(("seen_by", "who"), [("shiny", "app"), ("login", "login")])
def test_a_package_that_only_one_of_them_sees_says_who(seen_by: str, who: str) -> None:
    one = RPackage(name="onlyhere", version="1.0", library="/srv/library", built="4.2.2")
    there = with_views(lambda view: {"packages": (*view.packages, one)}, only=seen_by)
    found = {fact.id: fact.seen_by for fact in diff(there).differences}
    assert found == {f"r.{kind}.onlyhere@{who}": (who,) for kind in ("installed", "package")}
    ignored = Selection(ignore=("r.package.onlyhere", "r.installed.onlyhere"))
    assert diff(there, ignored).differences == ()
