"""Pages of any quality are read; nothing in them breaks the reader."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from harness.config.secrets import Secret
from harness.smart.drivers.choices import Choices
from harness.smart.drivers.fill import StuckError, Wishes
from harness.smart.drivers.launching import next_launch_step
from harness.smart.drivers.page import MAX_CONTROLS, Page
from harness.smart.drivers.plan import Follow, Progress, Submit, Task, next_step
from harness.smart.drivers.target import Caught, LaunchTarget, RedirectTarget
from harness.tests.unit.smart.site import authorization_request

URL = "https://ehr.example.org/auth/page"


def test_labels_name_their_controls() -> None:
    form = Page.parse(
        "<form><label for=a>One</label><input id=a name=a><label>Two<input name=b></label>"
        "<input type=radio name=c value=1> Three <b>x</b>"
        "<input name=d placeholder=Four><button name=e>Five <i>5</i></button></form>",
        URL,
    ).forms[0]
    assert [c.text for c in form.controls] == ["One", "Two", "Three", "Four", "Five 5"]


def test_controls_outside_a_form_may_belong_to_it() -> None:
    page = Page.parse("<form id=f></form><input name=a form=f><input name=b>", URL)
    assert [c.name for c in page.forms[0].controls] == ["a"]


def test_disabled_controls_are_not_there() -> None:
    assert Page.parse("<form><input name=a disabled></form>", URL).forms[0].controls == ()


def test_addresses_are_made_absolute_against_the_base() -> None:
    page = Page.parse('<base href="/x/"><a href=y>Y</a><form action="z"></form>', URL)
    assert page.links[0].url == "https://ehr.example.org/x/y"
    assert page.forms[0].action == "https://ehr.example.org/x/z"


def test_an_address_that_is_none_leaves_the_page_readable() -> None:
    assert Page.parse('<a href="http://[">x</a>', URL).links[0].url == ""


def test_options_need_no_end_tags() -> None:
    control = Page.parse("<form><select name=s><option>A<option value=b selected>B</select>", URL)
    options = control.forms[0].controls[0].options
    assert [(o.value, o.text, o.selected) for o in options] == [("A", "A", False), ("b", "B", True)]


def test_what_exceeds_the_bounds_is_left_out() -> None:
    page = Page.parse("<form>" + "<input name=a>" * (MAX_CONTROLS + 10) + "</form>", URL)
    assert len(page.forms[0].controls) == MAX_CONTROLS


tags = st.sampled_from(
    [
        "form",
        "input",
        "select",
        "option",
        "button",
        "a",
        "label",
        "textarea",
        "title",
        "base",
        "meta",
        "script",
    ]
)
attributes = st.dictionaries(
    st.sampled_from(
        [
            "type",
            "name",
            "value",
            "action",
            "href",
            "for",
            "id",
            "content",
            "http-equiv",
            "method",
            "form",
        ]
    ),
    st.one_of(
        st.sampled_from(["password", "radio", "checkbox", "hidden", "submit", "refresh", "post"]),
        st.text(alphabet="ab/:?&=#[]%;\"'<> ", max_size=12),
    ),
    max_size=4,
)
elements = st.builds(
    lambda tag, given_, text, end: (
        f"<{tag} "
        + " ".join(f'{k}="{v}"' for k, v in given_.items())
        + f">{text}"
        + (f"</{tag}>" if end else "")
    ),
    tags,
    attributes,
    st.sampled_from(["", "Allow", "Deny", "Patient", "x<y"]),
    st.booleans(),
)


@given(st.lists(elements, max_size=12).map("".join))
def test_any_page_leads_on_or_is_given_up_in_words(html: str) -> None:
    request = authorization_request()
    task = Task(RedirectTarget(request), Wishes(Choices(), ("openid",)), "user", Secret("p"))
    with suppress(StuckError):
        step = next_step(Page.parse(html, URL), task, Progress())
        assert isinstance(step, (Follow, Submit, Caught))


@given(st.lists(elements, max_size=12).map("".join), st.sampled_from([None, "1", "Patient"]))
def test_any_page_of_an_ehr_leads_on_or_is_given_up_in_words(
    html: str, patient: str | None
) -> None:
    wishes = Wishes(Choices(patient=patient), (), app=("app-id", "Allow"))
    task = Task(LaunchTarget("https://app.example.org/launch"), wishes, "user", Secret("p"))
    page, progress = Page.parse(html, URL), Progress()
    with suppress(StuckError):
        for _ in range(3):
            step = next_launch_step(page, task, progress)
            assert isinstance(step, (Follow, Submit, Caught))


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(html: str) -> None:
    Page.parse(html, URL)
