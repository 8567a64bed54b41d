"""Every verdict word and every exit status, from real runs."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from harness.tests.integration.plugin.conftest import Project

MEDIA_TYPE = '@verifies("smart/discovery/media-type")\n'
ADVICE = '@verifies("smart/discovery/introspection-endpoint")\n'

PASSING = (
    MEDIA_TYPE
    + '''
def test_good(well_known: Exchange) -> None:
    """It SHALL be JSON."""
    expect(well_known).status(200).media_type("application/json")
'''
)

WORDS = (
    PASSING
    + MEDIA_TYPE
    + '''
def test_bad(well_known: Exchange) -> None:
    """It SHALL be XML."""
    expect(well_known).media_type("application/xml")

'''
    + ADVICE
    + '''
def test_should(well_known: Exchange) -> None:
    """It SHOULD name an introspection_endpoint."""
    expect(well_known).member("introspection_endpoint", str)

'''
    + "\n".join(
        f'''
{MEDIA_TYPE}
def test_{name}(well_known: Exchange) -> None:
    """It SHALL be so."""
    {word}(False, unless="because of {name}")
'''
        for name, word in {
            "inapplicable": "applies_if",
            "unsupported": "supported_if",
            "unconfigured": "configured",
            "unpermitted": "permitted",
            "standing": "prerequisite",
        }.items()
    )
    + MEDIA_TYPE
    + '''
def test_excused(well_known: Exchange) -> None:
    """It SHALL be excused."""
    expect(well_known).status(204)

'''
    + MEDIA_TYPE
    + '''
def test_mended(well_known: Exchange) -> None:
    """It SHALL be mended."""
    expect(well_known).status(200)

'''
    + MEDIA_TYPE
    + '''
def test_sworn(well_known: Exchange) -> None:
    """It SHALL be sworn to."""
    configured(False, unless="a person has to say so")
'''
)

BY_THE_FILE = """
[[deviations]]
check = "smart/test_sample.py::test_excused"
reason = "vendor ticket 7"

[[deviations]]
check = "smart/test_sample.py::test_mended"
reason = "vendor ticket 8"

[[attestations]]
check = "smart/test_sample.py::test_sworn"
by = "A. Person"
on = 2026-05-01
evidence = "screenshot 12"
"""


def test_every_word_is_said_the_same_way_in_every_report(project: Project) -> None:
    project.suite(WORDS)
    project.ehr_file(BY_THE_FILE)
    ran = project.check()
    assert ran.status == 1, ran.out + ran.err
    assert ran.words == {
        "good": "passed",
        "bad": "failed",
        "should": "advised",
        "inapplicable": "not applicable",
        "unsupported": "not supported",
        "unconfigured": "not configured",
        "unpermitted": "not permitted",
        "standing": "prerequisite failed",
        "excused": "known deviation",
        "mended": "now passing",
        "sworn": "attested",
    }
    results = {name.rpartition("_")[2]: each for name, each in ran.results().items()}
    assert {name: each["status"] for name, each in results.items()} == {
        "good": "passed",
        "bad": "failed",
        "mended": "passed",
        **dict.fromkeys(
            ["should", "inapplicable", "unsupported", "unconfigured", "unpermitted"], "skipped"
        ),
        **dict.fromkeys(["standing", "excused", "sworn"], "skipped"),
    }
    assert results["should"]["statusDetails"]["message"].startswith("advised: ")
    assert results["mended"]["statusDetails"]["message"].startswith("now passing: ")
    junit = ET.parse(ran.folder / "junit.xml").getroot()
    assert {key: junit.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "11",
        "failures": "1",
        "errors": "0",
        "skipped": "8",
    }
    skipped = {
        str(case.get("name")).rpartition("_")[2]: skip.get("message")
        for case in junit.iter("testcase")
        for skip in case.findall("skipped")
    }
    assert skipped["sworn"] == "attested: by A. Person on 2026-05-01: screenshot 12"
    assert skipped["inapplicable"] == "not applicable: because of inapplicable"
    assert ran.last_line == (
        "complete: no, 4 of 10 SHALLs not judged: not configured 1, not permitted 1, "
        "not supported 1, prerequisite failed 1"
    )


def test_0_all_passed(project: Project) -> None:
    project.suite(PASSING)
    ran = project.check()
    assert (ran.status, ran.last_line) == (0, "complete: yes"), ran.out + ran.err
    assert ran.folder.parent.joinpath("latest").readlink().name == ran.folder.name


def test_1_strict_should_makes_an_advice_a_failure(project: Project) -> None:
    project.suite(PASSING + ADVICE + SHOULD)
    assert project.check().status == 0
    ran = project.check("--strict-should")
    assert (ran.status, ran.words["should"]) == (1, "failed")


SHOULD = '''
def test_should(well_known: Exchange) -> None:
    """It SHOULD name an introspection_endpoint."""
    expect(well_known).member("introspection_endpoint", str)
'''

OPEN = (
    PASSING
    + MEDIA_TYPE
    + '''
def test_open(ehr) -> None:
    """It SHALL be configured."""
    configured(False, unless="no client")
'''
)


def test_1_require_complete_fails_an_incomplete_run(project: Project) -> None:
    project.suite(OPEN)
    ran = project.check()
    said = "complete: no, 1 of 2 SHALLs not judged: not configured 1"
    assert (ran.status, ran.last_line) == (0, said)
    assert project.check("--require-complete").status == 1


def test_3_a_defect_of_a_check_is_no_verdict_about_the_server(project: Project) -> None:
    project.suite(PASSING + MEDIA_TYPE + 'def test_bug():\n    """It SHALL."""\n    1 / 0\n')
    ran = project.check()
    assert (ran.status, ran.words["bug"]) == (3, "error")
    assert ran.results()["smart/test_sample.py::test_bug"]["status"] == "broken"
    assert "ZeroDivisionError" in ran.out


BROKEN_ACT = (
    "@act\nasync def broken(run):\n    raise KeyError('x')\n\n"
    "@act\nasync def above(run, broken):\n    return 1\n\n"
    + "".join(
        f'{MEDIA_TYPE}def test_{name}({act}):\n    """It SHALL."""\n\n'
        for name, act in {"one": "broken", "two": "broken", "three": "above"}.items()
    )
)


def test_3_one_broken_act_is_one_error(project: Project) -> None:
    project.suite(PASSING + BROKEN_ACT)
    ran = project.check()
    assert ran.status == 3
    assert ran.words == {
        "good": "passed",
        "one": "error",
        "two": "prerequisite failed",
        "three": "prerequisite failed",
    }
    assert ran.summary["failed_acts"][0]["act"] == "broken"


ORPHAN = (
    PASSING
    + "@act\nasync def gone(run):\n    raise PrerequisiteFailed('it went away')\n\n"
    + f'{MEDIA_TYPE}def test_left(gone):\n    """It SHALL."""\n'
)


def test_1_a_failed_prerequisite_whose_root_may_not_be_selected(project: Project) -> None:
    project.suite(ORPHAN)
    ran = project.run(f"--ehr={project.ehr_file()}", "--reports=reports", "suites")
    assert ran.words["left"] == "prerequisite failed"
    # Files were named, so the check that is the root may be elsewhere.
    assert ran.status == 1


def test_4_usage(project: Project) -> None:
    project.suite(PASSING)
    without = project.run("suites")
    assert without.status == 4
    assert "test_good is a check of an EHR" in without.err
    unknown = project.run("--ehr=nope", "suites")
    assert (unknown.status, unknown.err.count("\n\n") <= 1) == (4, True)
    assert "no file nope.toml" in unknown.err
    version = project.check("--smart=9.9")
    assert version.status == 4
    assert "no version '9.9'" in version.err


def test_5_nothing_passed(project: Project) -> None:
    project.suite(OPEN.replace(PASSING, ""))
    assert project.check().status == 5


def test_6_an_endpoint_that_never_answers_ends_the_run_at_once(project: Project) -> None:
    project.suite(PASSING)
    project.ehr_file(fhir_base="http://127.0.0.1:9/fhir")
    ran = project.check()
    assert ran.status == 6
    assert ran.words == {"good": "not run"}
    assert "the EHR could not be reached: GET 127.0.0.1:9" in ran.out
    assert not (ran.folder.parent / "latest").is_symlink()
    assert ran.results()["smart/test_sample.py::test_good"]["status"] == "unknown"


UNREACHABLE = (
    PASSING
    + '@act\nasync def gone(run):\n    return await run.http.get("http://127.0.0.1:9/x")\n\n'
    + f'{MEDIA_TYPE}def test_left(gone):\n    """It SHALL."""\n'
)


def test_6_an_act_that_gets_no_answer_is_no_defect_of_the_harness(project: Project) -> None:
    project.suite(UNREACHABLE)
    ran = project.check()
    assert (ran.status, ran.words["left"]) == (6, "unreachable")
    assert ran.results()["smart/test_sample.py::test_left"]["status"] == "broken"


def test_another_fhir_version_is_refused_in_one_line(project: Project) -> None:
    project.suite(PASSING)
    project.ehr.answer("/metadata", {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"})
    ran = project.check()
    assert ran.status == 4
    assert "expected FHIR R4 (4.0.1), got fhirVersion '5.0.0'" in ran.err


def test_an_answer_that_is_no_json_is_a_failure_of_the_server(project: Project) -> None:
    project.suite(
        MEDIA_TYPE + 'def test_it(well_known):\n    """It SHALL."""\n    well_known.json()\n'
    )
    project.ehr.answer("/.well-known/smart-configuration", b"<html>", kind="text/html")
    ran = project.check()
    assert (ran.status, ran.words["it"]) == (1, "failed")


def test_markup_of_the_ehr_stays_out_of_the_evidence(project: Project) -> None:
    project.suite(PASSING)
    page = b"<html><script>alert(1)</script></html>"
    project.ehr.answer("/.well-known/smart-configuration", page)
    ran = project.check()
    for file in ran.folder.rglob("*"):
        if file.is_file():
            assert b"<script>" not in file.read_bytes(), file
    attachments = ran.results()["smart/test_sample.py::test_good"]["attachments"]
    text = (ran.folder / "allure-results" / attachments[0]["source"]).read_text()
    assert attachments[0]["name"] == "2. GET /fhir/.well-known/smart-configuration -> 200"
    assert "not kept, it is markup or binary" in text


def test_not_run_is_written_when_the_run_stops_early(project: Project) -> None:
    project.suite(WORDS)
    ran = project.check("-x")
    assert ran.status == 1
    assert ran.words["sworn"] == "not run"
    assert json.dumps(ran.summary["complete"]["not_judged"]) == '{"not run": 8}'
