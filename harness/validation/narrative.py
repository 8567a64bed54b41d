"""Whether a narrative is the XHTML that FHIR permits: invariants txt-1 and txt-2.

https://hl7.org/fhir/R4/narrative.html#Narrative

It is a well-formed `div` in the XHTML namespace with some text or an image, made of the basic
formatting of HTML 4.0 (chapters 7 to 11 without 9.4, and 15), links and images. Scripts, forms,
frames, event handlers and style sheets are no part of it: what is not listed here is refused.
Entities of HTML such as `&nbsp;` have no place in XML, but HL7's own validator and examples have
them, so they pass. A document type is refused before anything is parsed, so that no other entity
can be declared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.parsers.expat import errors

_XHTML = "{http://www.w3.org/1999/xhtml}"
_XML = "{http://www.w3.org/XML/1998/namespace}"

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
_PERMITTED: Mapping[str, frozenset[str]] = MappingProxyType(
    {_XHTML + name: _ANYWHERE.union(own) for name, own in _OWN.items()}
)
_DIV, _IMAGE = f"{_XHTML}div", f"{_XHTML}img"

_scheme = re.compile(r"[\x00-\x20]*+((?:[a-zA-Z][\x00-\x20]*+)++):").match
_SCRIPTS = frozenset(("javascript", "vbscript"))
_BLANK = " \t\r\n"


def check(value: Any) -> str | None:
    """Judge the value of a `div`: None when it is right, else what was expected. Never raises."""
    if value.__class__ is not str:
        return "a JSON string"
    if "<!DOCTYPE" in value or "<?" in value:
        return "XHTML without a document type and without processing instructions"
    try:
        root = _parsed(value)
    except ParseError as fault:
        return f"well-formed XHTML: {fault}"
    except (UnicodeError, ValueError):
        return "XHTML of valid Unicode characters"
    return _judge(root)


def _parsed(text: str) -> Element:
    try:
        return _tree(text)
    except ParseError as fault:
        if fault.code != _UNDEFINED_ENTITY:
            raise
    return _tree(_entity(_character, text))


def _tree(text: str) -> Element:
    parser = XMLParser()  # noqa: S314 - without a document type there is no entity to expand
    parser.feed(text)
    return parser.close()


_UNDEFINED_ENTITY = errors.codes[errors.XML_ERROR_UNDEFINED_ENTITY]
_entity = re.compile("&([A-Za-z][A-Za-z0-9]*);").sub


def _character(entity: re.Match[str]) -> str:
    """The character that an entity of HTML 4 stands for; another entity, and those of XML, stay."""
    from html.entities import name2codepoint

    name = entity[1]
    known = name not in _OF_XML and name in name2codepoint
    return chr(name2codepoint[name]) if known else entity[0]


_OF_XML = ("amp", "lt", "gt", "quot", "apos")


def _judge(root: Element) -> str | None:
    if root.tag != _DIV:
        return 'a div in the namespace "http://www.w3.org/1999/xhtml"'
    filled = False
    for element in root.iter():
        permitted = _PERMITTED.get(element.tag)
        if permitted is None:
            return f"only basic formatting, links and images, not <{_plain(element.tag)}>"
        if element.attrib and (refused := _attributes(element, permitted)):
            return refused
        if not filled:
            text, tail = element.text, element.tail
            filled = bool(
                element.tag == _IMAGE
                or (text and text.strip(_BLANK))
                or (tail and tail.strip(_BLANK))
            )
    return None if filled else "some text or an image in the narrative"


def _attributes(element: Element, permitted: frozenset[str]) -> str | None:
    for name, value in element.attrib.items():
        if name not in permitted:
            return f"no attribute {_plain(name)} on <{_plain(element.tag)}>"
        if name in ("href", "src") and _runs(value):
            return f"no script in {name}"
    return None


def _runs(url: str) -> bool:
    """Whether it is code; browsers skip control characters and white space within a scheme."""
    scheme = _scheme(url)
    return scheme is not None and "".join(scheme[1].split()).lower() in _SCRIPTS


def _plain(name: str) -> str:
    return name.rpartition("}")[2][:40]
