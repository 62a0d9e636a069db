"""HTML of a view: the templates, the words of a visitor, and how moments and numbers are written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from pydantic import TypeAdapter

from node import __version__
from node.domain.errors import Reason
from node.domain.job import AnalysisStatus, DeliveryState, JobState
from node.web.words import LANGUAGES, Wording

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
THEMES = ("auto", "light", "dark")

# No HTML of a card is passed on: a model may come from elsewhere.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True, slots=True)
class Visitor:
    """How a visitor wants the pages, and the token that his forms carry."""

    language: str = "en"
    theme: str = "auto"
    form_token: str = ""
    may_log_out: bool = False


def render(template: str, view: object, visitor: Visitor, **more: object) -> str:
    """Return a page as HTML."""
    return _ENVIRONMENT.get_template(template).render(
        view=view,
        visitor=visitor,
        t=Wording(visitor.language),
        version=__version__,
        languages=LANGUAGES,
        themes=THEMES,
        states=[state.value for state in JobState],
        statuses=[status.value for status in AnalysisStatus],
        delivery_states=[state.value for state in DeliveryState],
        reasons=[reason.value for reason in Reason],
        **more,
    )


def as_json(view: object, view_type: type) -> bytes:
    """Return a view as the JSON twin of its page."""
    adapter: TypeAdapter[object] = TypeAdapter(view_type)
    return adapter.dump_json(view, indent=2)


def moment(value: datetime | None) -> Markup:
    """Return a moment in the node's own time zone, with the exact one for programs."""
    if value is None:
        return Markup("")
    shown = value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec="seconds"), shown)


def number(value: float | None, decimals: int = 2) -> str:
    """Return a number with fixed decimals, empty where there is none."""
    return "" if value is None else f"{value:.{decimals}f}"


def address(path: str, parameters: Mapping[str, object]) -> str:
    """Return a path with those parameters that are set."""
    chosen = {name: value for name, value in parameters.items() if value not in ("", None)}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def markdown(text: str) -> Markup:
    """Return Markdown as HTML; tags in it are shown, not obeyed."""
    # Headings of a card stand below that of its model.
    html = str(_MARKDOWN.render(text)).replace("<h1>", "<h4>").replace("</h1>", "</h4>")
    html = html.replace("<h2>", "<h5>").replace("</h2>", "</h5>")
    # Links of a card lead to files beside it, which are not pages.
    html = re.sub(r"</?a\b[^>]*>", "", html)
    return Markup(html)  # noqa: S704 - made by the renderer, which escapes


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": moment, "number": number, "markdown": markdown}
    environment.globals["address"] = address
    return environment


_ENVIRONMENT = _environment()
