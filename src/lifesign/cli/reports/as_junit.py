"""The result as JUnit XML, which every CI system shows: a suite for each target, a case for each layer and check.

The shape satisfies both schemas that are in use: Ant's, which wants `properties`, `system-out`, `system-err` and a time
stamp without a zone (https://github.com/windyroad/JUnit-Schema), and that of Jenkins' xunit plugin (junit-10.xsd).
"""

from datetime import datetime
from xml.etree import ElementTree as ET

from lifesign.cli.output import clean
from lifesign.cli.probe_facts import told_facts
from lifesign.cli.reports.cases import Case, cases_of
from lifesign.cli.reports.values import Entry, Report

_NO_TIME = "1970-01-01T00:00:00"
_PACKAGE = "lifesign"


def as_junit(report: Report) -> str:
    """The document as text."""
    root = ET.Element("testsuites")
    for number, entry in enumerate(report.entries):
        root.append(_suite(entry, number, cases_of(entry, report.fail_on)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _suite(entry: Entry, number: int, cases: list[Case]) -> ET.Element:
    finished = entry.finished
    # The schemas want a name of at least one letter; a file may call a server nothing.
    name = clean(entry.name, 200).strip() or "server"
    suite = ET.Element(
        "testsuite",
        {
            "name": name,
            "package": _PACKAGE,
            "id": str(number),
            "timestamp": _stamp(finished.started_at) if finished else _NO_TIME,
            # The schema's own word for a host that does not matter: it is the target that does.
            "hostname": "localhost",
            "tests": str(len(cases)),
            "failures": str(sum(case.result == "failed" for case in cases)),
            "errors": str(sum(case.result == "error" for case in cases)),
            "skipped": str(sum(case.result == "skipped" for case in cases)),
            "time": f"{finished.duration_ms / 1000 if finished else 0:.3f}",
        },
    )
    suite.append(_properties(entry))
    for case in cases:
        suite.append(_case(name, case))
    ET.SubElement(suite, "system-out").text = _said(cases)
    ET.SubElement(suite, "system-err")
    return suite


def _properties(entry: Entry) -> ET.Element:
    properties = ET.Element("properties")
    told = {"state": entry.state.value if entry.finished else "skipped"}
    if entry.question is not None and entry.finished is not None:
        told |= {"target": clean(entry.question.target), "kind": entry.question.kind.name}
        told |= dict(told_facts(entry.finished.observation.facts))
    for name, value in told.items():
        ET.SubElement(properties, "property", {"name": name, "value": value})
    return properties


def _case(suite: str, case: Case) -> ET.Element:
    attributes = {
        "classname": f"{_PACKAGE}.{suite.replace('.', '_')}.{case.group}",
        "name": case.name,
        "time": f"{case.seconds:.4f}",
    }
    element = ET.Element("testcase", attributes)
    if case.result == "skipped":
        ET.SubElement(element, "skipped", {"message": case.message})
    elif case.result != "passed":
        tag = "failure" if case.result == "failed" else "error"
        told = ET.SubElement(element, tag, {"type": case.kind, "message": case.message})
        told.text = case.text
    return element


def _said(cases: list[Case]) -> str:
    """What passing cases have to tell: Ant's schema lets a case hold nothing but what is wrong."""
    lines = [f"{case.name}: {case.text}" for case in cases if case.result == "passed" and case.text]
    return "\n".join(lines)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")
