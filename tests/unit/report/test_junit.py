"""JUnit XML that every reader takes, whatever a machine has said."""

from xml.etree import ElementTree as ET

from sandbox.checks.results import Outcome
from sandbox.report.junit import junit_xml
from tests.unit.checks.reports import HOSTILE, report, result


def test_one_suite_a_goal_with_the_right_numbers() -> None:
    root = ET.fromstring(junit_xml(report()))
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "1")
    assert [suite.get("name") for suite in root] == ["up", "safe", "correct", "snappy"]
    safe = root[1]
    assert (safe.get("tests"), safe.get("failures"), safe.get("skipped")) == ("1", "1", "0")


def test_a_failure_tells_all_that_the_table_tells() -> None:
    root = ET.fromstring(junit_xml(report()))
    case = root.find("testsuite[@name='safe']/testcase")
    assert case is not None
    assert case.get("name") == "safe.ports: safe.ports holds"
    assert case.get("classname") == "shiny.safe"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "nc on 0.0.0.0 4444/tcp"
    assert failure.text == (
        "expected: wanted\nis: nc on 0.0.0.0 4444/tcp\nwhy: it matters\nfix: sandbox up shiny"
    )


def test_errors_and_skips_are_told_apart() -> None:
    root = ET.fromstring(junit_xml(report()))
    error = root.find(".//error")
    skipped = root.find(".//skipped")
    assert error is not None
    assert skipped is not None
    assert error.get("message") == "ssh failed"
    assert skipped.get("message") == "left out (--quick)"
    passed = root.find("testsuite[@name='up']/testcase")
    assert passed is not None
    assert len(passed) == 0


def test_whatever_a_machine_says_the_xml_is_valid() -> None:
    hostile = result("up.system", Outcome.FAILED, actual=HOSTILE, title=HOSTILE)
    text = junit_xml(report(hostile))
    failure = ET.fromstring(text.encode()).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "red  <b>&\"' ]]>   end"
    assert "\x1b" not in text
    assert "\x00" not in text


def test_nothing_found_at_all_still_has_a_message() -> None:
    silent = result("up.system", Outcome.FAILED, actual="")
    failure = ET.fromstring(junit_xml(report(silent))).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "up.system holds"


def test_nothing_in_the_xml_is_invisible_or_invalid() -> None:
    codes = (*range(32), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F))
    more = (*range(0x2060, 0x2070), 0xFEFF, 0xFFFE, 0xFFFF, 0xD800, 0x1FFFF, 0xE0041)
    hostile = "".join(map(chr, (*codes, *more)))
    said = result(f"up.{hostile}", Outcome.ERROR, actual=hostile, title=hostile)
    text = junit_xml(report(said, result("up.x", Outcome.SKIPPED, actual=hostile)))
    ET.fromstring(text.encode("utf-8"))
    assert [char for char in set(text) - {"\n"} if not char.isprintable()] in ([], ["\t"])
