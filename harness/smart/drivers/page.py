"""A page of an authorization server: its forms, links and refreshes, read without trust."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from urllib.parse import urljoin

MAX_CONTROLS = 5000
MAX_FORMS = 100
MAX_LINKS = 2000
MAX_TEXT = 2000
MAX_FRAMES = 20

_REFRESH = re.compile(r"\s*\d*(?:\.\d*)?\s*[;,]?\s*(?:url\s*=\s*)?['\"]?([^'\"]+)", re.IGNORECASE)
_SCRIPTED = re.compile(
    r"\blocation(?:\.href)?\s*(?:=|\.(?:assign|replace)\()\s*(['\"])(?P<url>[^'\"\s]{1,4000})\1"
)
_OPENED = re.compile(r"\bwindow\.open\(\s*(['\"])(?P<url>[^'\"\s]{1,4000})\1")


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a select."""

    value: str
    text: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """One control of a form. `text` is what a person reads: label, caption or placeholder."""

    kind: str
    name: str
    value: str = field(repr=False)
    text: str = ""
    id: str = ""
    autocomplete: str = ""
    checked: bool = False
    required: bool = False
    options: tuple[Option, ...] = ()
    action: str | None = None
    method: str | None = None

    @property
    def submits(self) -> bool:
        """Whether pressing it sends the form."""
        return self.kind in ("submit", "image")


@dataclass(frozen=True, slots=True)
class Form:
    """One form; `action` is absolute."""

    action: str
    method: str
    controls: tuple[Control, ...]

    def of(self, *kinds: str) -> tuple[Control, ...]:
        """The controls of these kinds."""
        return tuple(control for control in self.controls if control.kind in kinds)

    @property
    def buttons(self) -> tuple[Control, ...]:
        """What sends the form."""
        return tuple(control for control in self.controls if control.submits)


@dataclass(frozen=True, slots=True)
class Link:
    """One link; `url` is absolute."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a person without JavaScript could see and do on a page."""

    url: str
    title: str
    forms: tuple[Form, ...]
    links: tuple[Link, ...]
    refresh: str | None = None
    scripted: str | None = None
    text: str = ""
    frames: tuple[str, ...] = ()
    """What it embeds or opens in another window."""

    @classmethod
    def parse(cls, html: str, url: str) -> Page:
        """Read HTML of any quality; what exceeds the bounds is left out."""
        reader = _Reader(url)
        reader.feed(html)
        reader.close()
        return reader.page()


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url = self.base = url
        self.forms: list[tuple[dict[str, str], list[Control]]] = []
        self.form_ids: dict[str, int] = {}
        self.open_form: int | None = None
        self.loose: list[Control] = []
        self.links: list[Link] = []
        self.labels: dict[str, str] = {}
        self.wrapped: list[tuple[list[Control], int]] = []
        self.bare: tuple[list[Control], int] | None = None
        self.refresh: str | None = None
        self.scripted: str | None = None
        self.frames: list[str] = []
        self.title = ""
        self.words: list[str] = []
        self.shown = 0
        self.count = 0
        self._texts: list[tuple[str, dict[str, str], list[str]]] = []
        self._select: dict[str, str] | None = None
        self._options: list[Option] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}
        if tag == "form" and self.open_form is None and len(self.forms) < MAX_FORMS:
            self.open_form = len(self.forms)
            self.form_ids[given.get("id", "")] = self.open_form
            self.forms.append((given, []))
        elif tag == "input":
            kind = given.get("type", "text").strip().lower() or "text"
            self._add(kind, given, given.get("value", "on" if kind in _TICKED else ""))
        elif tag == "select":
            self._select, self._options = given, []
        elif tag in ("iframe", "frame") and given.get("src"):
            self._frame(given["src"])
        elif tag == "base" and given.get("href"):
            self.base = self._absolute(given["href"])
        elif tag == "meta" and given.get("http-equiv", "").strip().lower() == "refresh":
            match = _REFRESH.match(given.get("content", ""))
            self.refresh = self._absolute(match[1].strip()) if match else self.refresh
        if tag == "option":
            self._close_text("option")
        if tag in _TEXTUAL:
            self._texts.append((tag, given, []))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open_form = None
        elif tag in _TEXTUAL:
            self._close_text(tag)
        elif tag == "select" and self._select is not None:
            self._close_text("option")
            self._add("select", self._select, "", tuple(self._options))
            self._select = None

    def handle_data(self, data: str) -> None:
        for _, _, parts in self._texts:
            parts.append(data)
        hidden = self._texts and self._texts[-1][0] in ("script", "style", "title")
        if hidden or not data.strip():
            return
        if self.bare is not None:
            controls, number = self.bare
            controls[number] = replace(controls[number], text=" ".join(data.split()))
            self.bare = None
        if self.shown < MAX_TEXT:
            self.words.append(data)
            self.shown += len(data)

    def page(self) -> Page:
        while self._texts:
            self._close_text(self._texts[-1][0])
        forms = tuple(
            Form(
                self._absolute(given.get("action", "").strip() or self.url),
                given.get("method", "get").strip().lower(),
                tuple(self._labelled(control) for control in controls),
            )
            for given, controls in self.forms
        )
        text = " ".join(" ".join(self.words).split())[:MAX_TEXT]
        return Page(
            self.url,
            self.title,
            forms,
            tuple(self.links),
            self.refresh,
            self.scripted,
            text,
            tuple(self.frames),
        )

    def _close_text(self, tag: str) -> None:
        """Finish the innermost open `tag`, and what was left open inside it."""
        if not any(name == tag for name, _, _ in self._texts):
            return
        name = ""
        while name != tag:
            name, given, parts = self._texts.pop()
            self._finish(name, given, " ".join("".join(parts).split()))

    def _finish(self, tag: str, given: dict[str, str], text: str) -> None:
        finish = getattr(self, f"_end_{tag}", None)
        if finish is not None:
            finish(given, text)

    def _end_title(self, _: dict[str, str], text: str) -> None:
        self.title = self.title or text

    def _end_a(self, given: dict[str, str], text: str) -> None:
        if given.get("href") and len(self.links) < MAX_LINKS:
            self.links.append(Link(self._absolute(given["href"]), text))

    def _end_button(self, given: dict[str, str], text: str) -> None:
        kind = given.get("type", "submit").strip().lower()
        kind = kind if kind in ("button", "reset") else "submit"
        self._add(kind, given, given.get("value", ""), text=text)

    def _end_textarea(self, given: dict[str, str], text: str) -> None:
        self._add("textarea", given, text)

    def _end_option(self, given: dict[str, str], text: str) -> None:
        if "disabled" not in given:
            self._options.append(Option(given.get("value", text), text, "selected" in given))

    def _end_script(self, _: dict[str, str], text: str) -> None:
        match = _SCRIPTED.search(text)
        if match:
            self.scripted = self._absolute(_unescaped(match["url"]))
        for opened in _OPENED.finditer(text):
            self._frame(_unescaped(opened["url"]))

    def _end_label(self, given: dict[str, str], text: str) -> None:
        if given.get("for"):
            self.labels[given["for"]] = text
        for controls, number in self.wrapped:
            controls[number] = replace(controls[number], text=text)
        self.wrapped = []

    def _add(
        self,
        kind: str,
        given: dict[str, str],
        value: str,
        options: tuple[Option, ...] = (),
        text: str = "",
    ) -> None:
        self.count += 1
        if "disabled" in given or self.count > MAX_CONTROLS:
            return
        control = Control(
            kind,
            given.get("name", ""),
            value,
            text or (value if kind == "submit" else "") or given.get("placeholder", ""),
            given.get("id", ""),
            given.get("autocomplete", "").lower(),
            "checked" in given,
            "required" in given,
            options,
            self._absolute(given["formaction"]) if given.get("formaction") else None,
            given.get("formmethod", "").lower() or None,
        )
        controls = self._controls(given.get("form"))
        controls.append(control)
        if any(tag == "label" for tag, _, _ in self._texts):
            self.wrapped.append((controls, len(controls) - 1))
        self.bare = (controls, len(controls) - 1) if kind in _TICKED else None

    def _controls(self, owner: str | None) -> list[Control]:
        if owner:
            number = self.form_ids.get(owner)
            return self.forms[number][1] if number is not None else self.loose
        return self.forms[self.open_form][1] if self.open_form is not None else self.loose

    def _labelled(self, control: Control) -> Control:
        label = self.labels.get(control.id) if control.id else None
        return replace(control, text=label) if label and not control.submits else control

    def _frame(self, url: str) -> None:
        if len(self.frames) < MAX_FRAMES:
            self.frames.append(self._absolute(url))

    def _absolute(self, url: str) -> str:
        try:
            return urljoin(self.base, url.strip())
        except ValueError:
            return ""


def _unescaped(written: str) -> str:
    """A URL as a script means it."""
    return written.replace("\\/", "/").replace("\\u0026", "&")


_TICKED = ("checkbox", "radio")
_TEXTUAL = ("title", "a", "button", "textarea", "option", "label", "script", "style")
