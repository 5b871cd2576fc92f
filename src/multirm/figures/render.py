"""Charts as the bytes of files: svg, pdf, png and html, each the same bytes for the same chart."""

import html
import json
from collections.abc import Iterable
from typing import Any

import altair as alt
import vl_convert

from multirm.charts import vega
from multirm.figures import theme
from multirm.figures.pdf import in_order
from multirm.running.metadata import FORMATS

Figure = alt.Chart | alt.LayerChart | alt.ConcatChart | alt.HConcatChart | alt.VConcatChart

# No script, style or picture from elsewhere, and nothing is sent; Vega makes functions of expressions.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 8px; font-family: {font}; }}
#figure {{ display: block; max-width: {width}px; padding-right: 0; }}
#figure svg.marks {{ display: block; max-width: 100%; height: auto; }}
</style>
</head>
<body>
<div id="figure" role="img" aria-label="{title}"></div>
<script>{library}</script>
<script>
vegaEmbed("#figure", {specification}, {options});
</script>
</body>
</html>
"""
_OPTIONS = {
    "renderer": "svg",
    "actions": {"export": True, "source": False, "compiled": False, "editor": False},
}


def specification(figure: Figure) -> dict[str, Any]:
    """The figure's Vega-Lite specification, with the theme in it."""
    with alt.theme.enable(theme.NAME):
        return dict(figure.to_dict())


def rendered(figure: Figure, suffixes: Iterable[str]) -> dict[str, bytes]:
    """The figure as files, by their suffixes.

    Args:
        suffixes: some of `FORMATS`.

    Raises:
        ValueError: another suffix.
    """
    drawn = specification(figure)
    svg = str(vl_convert.vegalite_to_svg(drawn, allowed_base_urls=[]))
    return {suffix: _in_format(drawn, svg, suffix) for suffix in suffixes}


def _in_format(drawn: dict[str, Any], svg: str, suffix: str) -> bytes:
    match suffix:
        case ".svg":
            return svg.encode()
        case ".pdf":
            return in_order(bytes(vl_convert.svg_to_pdf(svg)))
        case ".png":
            return bytes(vl_convert.svg_to_png(svg, scale=theme.PNG_SCALE))
        case ".html":
            return page(drawn).encode()
    raise ValueError(f"expected a suffix of {FORMATS}, found {suffix}")


def page(drawn: dict[str, Any]) -> str:
    """A specification as a page that needs no network, shows details of what one points at, and fits a screen.

    Its title is the figure's, or else its description.
    """
    return _PAGE.format(
        policy=_POLICY,
        title=html.escape(_title(drawn)),
        font=theme.FONT,
        width=theme.WIDTH + 20,
        library=vega.script(vega.user_cache()),
        specification=_in_script(drawn),
        options=_in_script(_OPTIONS),
    )


def _title(drawn: dict[str, Any]) -> str:
    said = drawn.get("title") or drawn.get("description", "Figure")
    lines = said["text"] if isinstance(said, dict) else said
    return lines if isinstance(lines, str) else " ".join(lines)


def _in_script(value: object) -> str:
    """JSON that ends no script, whatever texts are in it."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
