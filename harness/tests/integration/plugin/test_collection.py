"""What stops collection, what is listed offline, and runs from anywhere."""

from __future__ import annotations

import pytest

from harness.tests.integration.plugin.conftest import Project, environment
from harness.tests.integration.plugin.test_verdicts import ADVICE, MEDIA_TYPE, PASSING

CYCLE = "@act\nasync def first(run, second): ...\n\n@act\nasync def second(run, first): ...\n\n"
DOC = '"""It SHALL."""'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'@verifies("smart/discovery/media-typ")\ndef test_it(well_known):\n    {DOC}\n',
            "'smart/discovery/media-typ'; did you mean 'smart/discovery/media-type'?",
        ),
        (f"{MEDIA_TYPE}def test_it(well_known):\n    pass\n", "expected a docstring"),
        (f"def test_it(well_known):\n    {DOC}\n", "expected @verifies"),
        (
            f"{MEDIA_TYPE}def test_it(well_knwon):\n    {DOC}\n",
            "no act 'well_knwon'; did you mean 'well_known'?",
        ),
        (
            f"{MEDIA_TYPE}{ADVICE}def test_it(well_known):\n    {DOC}\n",
            "requirements of different levels in one check",
        ),
        (f"{MEDIA_TYPE}async def test_it(well_known):\n    {DOC}\n", "what awaits is an act"),
        (
            f"{CYCLE}{MEDIA_TYPE}def test_it(first):\n    {DOC}\n",
            "acts need each other: first -> second -> first",
        ),
        ("import nonesuch\n", "No module named 'nonesuch'"),
    ],
)
def test_4_a_check_that_cannot_be_judged_stops_collection(
    project: Project, text: str, said: str
) -> None:
    project.suite(text)
    ran = project.check()
    assert ran.status == 4, ran.out + ran.err
    assert said in ran.out + ran.err
    assert "INTERNALERROR" not in ran.out + ran.err
    assert project.ehr.requests == []


def test_collect_only_lists_requirements_without_a_request_or_a_secret(project: Project) -> None:
    project.suite(PASSING)
    project.ehr_file(
        '[[clients]]\nname = "app"\nid = "env:NO_SUCH_ID"\nauth = "client_secret_basic"\n'
        'secret = "env:NO_SUCH_SECRET"\nredirect_uri = "http://127.0.0.1:8765/callback"\n'
    )
    ran = project.check("--collect-only")
    assert ran.status == 0, ran.out + ran.err
    line = "smart/test_sample.py::test_good  smart/discovery/media-type  SHALL"
    assert line in ran.out
    assert project.ehr.requests == []
    assert ran.made is None


def test_ids_do_not_depend_on_where_pytest_is_run(project: Project) -> None:
    project.suite(PASSING)
    project.ehr_file()
    file = str(project.folder / "fixtures/ehrs/tiny.toml")
    elsewhere = project.folder / "elsewhere"
    elsewhere.mkdir()
    reports = f"--reports={project.folder / 'reports'}"
    here = project.check()
    there = project.run(f"--ehr={file}", reports, "../suites/smart", cwd=elsewhere)
    assert [here.status, there.status] == [0, 0], there.out + there.err
    assert set(here.results()) == set(there.results()) == {"smart/test_sample.py::test_good"}
    first, second = (next(iter(each.results().values()))["historyId"] for each in (here, there))
    assert first == second


def test_a_foreign_project_keeps_its_settings_and_the_run_its_own(project: Project) -> None:
    (project.folder / "pytest.ini").unlink()
    (project.folder / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\n"
        'addopts = ["-p", "no:cacheprovider", "--strict-markers", "--strict-config", "-q"]\n'
        'python_files = ["check_*.py"]\npython_functions = ["check_*"]\n'
        'filterwarnings = ["error"]\ntestpaths = ["own"]\nxfail_strict = true\n'
    )
    own = project.folder / "own" / "check_own.py"
    own.parent.mkdir()
    own.write_text("def check_own():\n    raise SystemExit(9)\n")
    (project.folder / "conftest.py").write_text("collect_ignore = []\n")
    project.suite(PASSING)
    ran = project.check()
    assert (ran.status, ran.words) == (0, {"good": "passed"}), ran.out + ran.err
    bundled = project.run(f"--ehr={project.ehr_file()}", "--collect-only", "-q")
    assert "check_own" not in bundled.out
    assert "smart/test_discovery.py::" in bundled.out


def test_a_marker_per_folder_selects(project: Project) -> None:
    project.suite(PASSING)
    project.suite(PASSING.replace("test_good", "test_other"), "bulk/test_other.py")
    ran = project.check("-m", "bulk")
    assert ran.words == {"other": "passed"}
    assert ran.summary["run"]["deselected"] == 1
    assert ran.summary["verdicts"][0]["check"] == "bulk/test_other.py::test_other"


def test_only_the_acts_that_selected_checks_need_are_acted(project: Project) -> None:
    project.suite(PASSING)
    text = (
        '@act\nasync def never(run):\n    return await run.http.get(run.ehr.fhir_base + "/never")\n'
        f"\n{MEDIA_TYPE}def test_never(never):\n    {DOC}\n"
    )
    project.suite(text, "bulk/test_never.py")
    ran = project.check("-m", "smart")
    assert ran.status == 0, ran.out + ran.err
    assert "GET /never" not in project.ehr.requests


def test_a_suites_folder_may_bring_acts_of_its_own(project: Project) -> None:
    project.suite(f"{MEDIA_TYPE}def test_it(mine):\n    {DOC}\n    expect(mine).status(404)\n")
    (project.folder / "suites" / "conftest.py").write_text(
        "from harness import act\n\n@act\nasync def mine(run):\n"
        '    return await run.http.get(run.ehr.fhir_base + "/mine")\n'
    )
    ran = project.check()
    assert (ran.status, ran.words) == (0, {"it": "passed"}), ran.out + ran.err


def test_xdist_is_refused(project: Project) -> None:
    project.suite(PASSING)
    ran = project.check("--numprocesses=2")
    assert ran.status == 4
    assert "pytest-xdist cannot be used with --ehr" in ran.err


def test_a_taken_option_leaves_the_other_plugin_alone(project: Project) -> None:
    (project.folder / "taken.py").write_text(
        "import pytest\n\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_addoption(parser):\n    parser.addoption('--replay')\n"
    )
    (project.folder / "test_own.py").write_text("def test_own():\n    pass\n")
    path = _with(project)
    assert project.run("-p", "taken", "test_own.py", env={"PYTHONPATH": path}).status == 0
    project.suite(PASSING)
    ran = project.check("-p", "taken", PYTHONPATH=path)
    assert ran.status == 4
    assert "--replay belongs to another pytest plugin" in ran.err


def _with(project: Project) -> str:
    return f"{project.folder}:{environment()['PYTHONPATH']}"
