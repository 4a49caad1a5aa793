"""The bars: what is compiled is counted apart from what has climbed."""

import io

from rich.console import Console

from mixpyro.cli.progress import Bars


def test_compiling_and_climbing_are_two_lines():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=90)
    with Bars(console, 6) as bars:
        for k in (1, 2, 3):
            bars.begun({"num_components": k})
        bars.done({"num_components": 1})
        bars._bars.refresh()
        text = out.getvalue()
    assert "read, compiling 3" in text
    assert "3/6" in text
    assert "climbed 1" in text
    assert "1/6" in text


def test_nothing_is_drawn_where_nobody_looks():
    out = io.StringIO()
    with Bars(Console(file=out), 2) as bars:
        bars.begun({})
        bars.done({})
    assert not out.getvalue().strip()
