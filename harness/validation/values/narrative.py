"""Whether a narrative is the XHTML that FHIR permits: invariants txt-1 and txt-2.

https://hl7.org/fhir/R4/narrative.html#Narrative

It is a well-formed `div` in the XHTML namespace with some text or an image, made of the basic
formatting of HTML 4.0 (chapters 7 to 11 without 9.4, and 15), links and images. Scripts, forms,
frames, event handlers and style sheets are no part of it: what is not listed here is refused.
Entities of HTML such as `&nbsp;` have no place in XML, but HL7's own validator and examples have
them, so they pass. A document type is refused where it begins, before it declares any entity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate, errors

_XHTML = "http://www.w3.org/1999/xhtml}"
_XML = "http://www.w3.org/XML/1998/namespace}"

_ANYWHERE = frozenset(
    ("title", "style", "class", "id", "lang", "dir", f"{_XML}lang", "accesskey", "tabindex")
)
_CELLS = ("align", "valign", "char", "charoff")
_CELL = (*_CELLS, "abbr", "axis", "headers", "scope", "rowspan", "colspan", "width", "nowrap")
_WHERE = ("shape", "coords")
_OWN: Mapping[str, tuple[str, ...]] = {
    # 7.5 grouping and headings
    **dict.fromkeys(("div", "span", "h1", "h2", "h3", "h4", "h5", "h6", "address"), ()),
    # 8.2 direction
    "bdo": (),
    # 9.2 and 9.3 text; 9.4, changes, is left out by the specification
    **dict.fromkeys(("em", "strong", "dfn", "code", "samp", "kbd", "var", "cite"), ()),
    **dict.fromkeys(("abbr", "acronym", "sub", "sup", "p", "br"), ()),
    **dict.fromkeys(("blockquote", "q"), ("cite",)),
    "pre": (f"{_XML}space", "space"),
    # 10 lists
    **dict.fromkeys(("ul", "ol", "li", "dl", "dt", "dd"), ()),
    # 11 tables
    "table": (
        *("summary", "width", "border", "frame", "rules", "cellspacing", "cellpadding"),
        "align",
    ),
    "caption": ("align",),
    **dict.fromkeys(("colgroup", "col"), ("span", "width", *_CELLS)),
    **dict.fromkeys(("thead", "tbody", "tfoot", "tr"), _CELLS),
    **dict.fromkeys(("th", "td"), _CELL),
    # 12.2 links, 13 images
    "a": ("href", "name", "charset", "type", "hreflang", "rel", "rev", *_WHERE),
    "img": ("src", "alt", "longdesc", "height", "width", "usemap", "ismap", "border"),
    "map": ("name",),
    "area": ("href", "nohref", "alt", *_WHERE),
    # 15.2 fonts, 15.3 rules
    **dict.fromkeys(("tt", "i", "b", "big", "small"), ()),
    "hr": ("width", "align"),
}
_DIV, _IMAGE = f"{_XHTML}div", f"{_XHTML}img"
_LINKS = ("href", "src")
_BLANK = " \t\r\n"

_scheme = re.compile(r"[\x00-\x20]*+((?:[a-zA-Z][\x00-\x20]*+)++):").match
_HARMLESS = ("http:", "https:")
_SCRIPTS = frozenset(("javascript", "vbscript"))


def _permits(element: str) -> Callable[[dict[str, str]], bool]:
    """Whether an element may have these attributes, of which a link is no code."""
    own = _OWN[element]
    known = _ANYWHERE.union(own).issuperset
    link = next((name for name in _LINKS if name in own), None)
    if link is None:
        return known
    return lambda attributes: (
        known(attributes) and not (link in attributes and _runs(attributes[link]))
    )


def _runs(url: str) -> bool:
    """Whether it is code; browsers skip control characters and white space within a scheme."""
    if ":" not in url or url.startswith(_HARMLESS):
        return False
    scheme = _scheme(url)
    return scheme is not None and "".join(scheme[1].split()).lower() in _SCRIPTS


_PERMITTED = {_XHTML + name: _permits(name) for name in _OWN}


def _plain(name: str) -> str:
    return name.rpartition("}")[2][:40]


class _Refused(Exception):
    """What the narrative should have been."""


def check(value: Any) -> str | None:
    """Judge the value of a `div`: None when it is right, else what was expected. Never raises."""
    if value.__class__ is not str:
        return "a JSON string"
    try:
        try:
            _judge(value)
        except ExpatError as fault:
            if fault.code != _UNDEFINED_ENTITY:
                raise
            _judge(_entity(_character, value))
    except _Refused as refused:
        return str(refused)
    except ExpatError as fault:
        return f"well-formed XHTML: {fault}"
    except (UnicodeError, ValueError):
        return "XHTML of valid Unicode characters"
    return None


def _judge(text: str) -> None:
    """Look at each element as it begins; no tree is built, so depth costs nothing.

    Raises:
        _Refused: it holds something else than it may, or nothing.
        ExpatError: it is not well-formed.
    """

    def root(name: str, attributes: dict[str, str]) -> None:
        if name != _DIV:
            raise _Refused('a div in the namespace "http://www.w3.org/1999/xhtml"')
        _begins(name, attributes)
        parser.StartElementHandler = _begins

    def says(characters: str) -> None:
        if characters.strip(_BLANK):
            parser.CharacterDataHandler = None

    parser = ParserCreate(None, "}")
    parser.StartElementHandler = root
    parser.CharacterDataHandler = says
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = _refuse
    parser.XmlDeclHandler = _refuse
    parser.Parse(text, True)  # noqa: FBT003 - that this is all of it
    if parser.CharacterDataHandler is not None and not _has_image(text):
        raise _Refused("some text or an image in the narrative")


def _begins(name: str, attributes: dict[str, str]) -> None:
    if name not in _PERMITTED:
        raise _Refused(f"only basic formatting, links and images, not <{_plain(name)}>")
    if attributes and not _PERMITTED[name](attributes):
        expected = f"no script in a link, and only attributes that <{_plain(name)}> may have"
        raise _Refused(expected)


def _refuse(*_: object) -> None:
    raise _Refused("XHTML without a document type and without processing instructions")


def _has_image(text: str) -> bool:
    found = set()
    parser = ParserCreate(None, "}")
    parser.StartElementHandler = lambda name, _: found.add(name)
    parser.Parse(text, True)  # noqa: FBT003 - that this is all of it
    return _IMAGE in found


_UNDEFINED_ENTITY = errors.codes[errors.XML_ERROR_UNDEFINED_ENTITY]
_entity = re.compile("&([A-Za-z][A-Za-z0-9]*);").sub


def _character(entity: re.Match[str]) -> str:
    """The character that an entity of HTML 4 stands for; another entity, and those of XML, stay."""
    from html.entities import name2codepoint

    name = entity[1]
    known = name not in _OF_XML and name in name2codepoint
    return chr(name2codepoint[name]) if known else entity[0]


_OF_XML = ("amp", "lt", "gt", "quot", "apos")
