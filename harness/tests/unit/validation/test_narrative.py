import pytest

from harness.validation.values.narrative import check


def div(inner: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'


RIGHT = [
    div("a"),
    div("<p>a</p>"),
    div('<table class="grid" border="1"><tr><td colspan="2">a</td></tr></table>'),
    div('<a href="https://example.org">a</a>'),
    div('<a name="x"/>tail'),
    div('<img src="#photo" alt=""/>'),
    div('<span style="color: red" xml:lang="en">a</span>'),
    div("<!-- a comment -->a"),
    div("a &amp; &#160; &lt;script&gt;"),
    div("a &nbsp; &reg; b"),
    div("<![CDATA[a]]>"),
    div('a <a href="x>" name="y">b</a>'),
    div("a <p title='single'>b</p>"),
    div("&#97;"),
    '<h:div xmlns:h="http://www.w3.org/1999/xhtml">a</h:div>',
    "\n" + div("a") + "\n",
    div("<b>" * 5000 + "a" + "</b>" * 5000),
]

WRONG = [
    "<div>a</div>",
    '<p xmlns="http://www.w3.org/1999/xhtml">a</p>',
    '<div xmlns="http://example.org">a</div>',
    div(""),
    div("  \n <p> </p>"),
    div("<!-- only a comment -->"),
    div("<p>a"),
    div("a") + div("b"),
    div("a &unknown; b"),
    div("a &nbsp b"),
    div("<script>alert(1)</script>"),
    div('<p onclick="x()">a</p>'),
    div('<a href="javascript:x()">a</a>'),
    div('<a href=" java&#10;script:x()">a</a>'),
    div("<form>a</form>"),
    div('<iframe src="x"/>a'),
    div("<object/>a"),
    div('<link rel="stylesheet" href="x"/>a'),
    div("<ins>a</ins>"),
    div("<font>a</font>"),
    div('<svg xmlns="http://www.w3.org/2000/svg"/>a'),
    div('<p xmlns="">a</p>'),
    div('<p src="x">a</p>'),
    div('<a xlink:href="x" xmlns:xlink="http://www.w3.org/1999/xlink">a</a>'),
    '<?xml version="1.0"?>' + div("a"),
    div('<?xml-stylesheet href="x"?>a'),
    '<!DOCTYPE div [<!ENTITY a "b">]>' + div("&a;"),
    div('a<a href="x>" onclick="run()">b</a>'),
    div('a<p title="x><script>y</script>"/>'),
    div('a<p title="x" title="x"/>'),
    div('a<p xmlns="http://www.w3.org/1999/xhtml" onclick="x"/>'),
    div('a<a href="&#106;avascript:x()">b</a>'),
    div("&#32;"),
    div('<p title="x"> </p>'),
    div("a") + "b",
    div("a<P>b</P>"),
    '<div xmlns="http://www.w3.org/1999/xhtml" onclick="x">a</div>',
    '<divx xmlns="http://www.w3.org/1999/xhtml">a</divx>',
    '<div xmlns="http://www.w3.org/1999/xhtml.evil">a</div>',
    div("\x00"),
    div("\ud800"),
    "<html xmlns='http://www.w3.org/1999/xhtml'><body>a</body></html>",
]


@pytest.mark.parametrize("text", RIGHT, ids=range(len(RIGHT)))
def test_what_the_specification_permits_passes(text: str) -> None:
    assert check(text) is None


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_it_forbids_is_refused(text: str) -> None:
    assert check(text)


def test_entities_that_would_grow_are_never_expanded() -> None:
    bomb = '<!DOCTYPE div [<!ENTITY a "' + "x" * 100 + '">'
    for number in range(20):
        bomb += f'<!ENTITY a{number + 1} "{f"&a{number or str()};" * 10}">'
    assert check(bomb + "]>" + div("&a20;"))
