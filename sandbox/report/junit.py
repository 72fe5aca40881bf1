"""Check results as JUnit XML, which every CI server reads: one testsuite a goal."""

import re
from xml.etree import ElementTree as ET

from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.clean import clean

# What XML 1.0 cannot hold, not even escaped: a tool's output may have colour codes in it, or worse
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def junit_xml(report: CheckReport) -> str:
    """Write the report as one XML document, ending with a newline."""
    root = ET.Element("testsuites", _attributes(report.results, report.elapsed_s))
    root.set("name", _clean(f"sandbox check {report.sandbox}"))
    for goal in Goal:
        if results := report.of(goal):
            root.append(_suite(report, goal, results))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(report: CheckReport, goal: Goal, results: tuple[CheckResult, ...]) -> ET.Element:
    elapsed_s = sum(result.elapsed_s for result in results)
    suite = ET.Element("testsuite", _attributes(results, elapsed_s))
    suite.set("name", goal.value)
    suite.set("hostname", _clean(report.sandbox))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("box", report.box), ("plan_key", report.plan_key)):
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    suite.extend(_case(report, result) for result in results)
    return suite


def _case(report: CheckReport, result: CheckResult) -> ET.Element:
    case = ET.Element(
        "testcase",
        {
            "classname": _clean(f"{report.box}.{result.goal}"),
            "name": _clean(f"{result.id}: {result.title}"),
            "time": f"{result.elapsed_s:.3f}",
        },
    )
    match result.outcome:
        case Outcome.PASSED:
            pass
        case Outcome.SKIPPED:
            ET.SubElement(case, "skipped", {"message": _clean(result.actual)})
        case Outcome.FAILED | Outcome.ERROR:
            tag = "failure" if result.outcome is Outcome.FAILED else "error"
            first = result.actual.strip().splitlines() or [result.title]
            problem = ET.SubElement(
                case, tag, {"message": _clean(first[0]), "type": _clean(result.id)}
            )
            problem.text = _clean(_body(result))
    return case


def _body(result: CheckResult) -> str:
    rows = (
        ("expected", result.expected),
        ("is", result.actual),
        ("why", result.why),
        ("fix", result.fix),
    )
    return "\n".join(f"{label}: {text}" for label, text in rows if text)


def _attributes(results: tuple[CheckResult, ...], elapsed_s: float) -> dict[str, str]:
    def number(outcome: Outcome) -> str:
        return str(sum(result.outcome is outcome for result in results))

    return {
        "tests": str(len(results)),
        "failures": number(Outcome.FAILED),
        "errors": number(Outcome.ERROR),
        "skipped": number(Outcome.SKIPPED),
        "time": f"{elapsed_s:.3f}",
    }


def _clean(text: str) -> str:
    return clean(_NOT_XML.sub("", _COLOUR.sub("", text)))
