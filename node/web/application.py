"""The ASGI application: routes, errors, and the guard before all of them."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from node.domain.errors import NodeError
from node.web.actions import ACTIONS, login_page
from node.web.answering import answer_http_error, answer_internal_error, answer_node_error, html, site_of
from node.web.guard import Guard
from node.web.monitoring import live, metrics, ready
from node.web.openapi import openapi_document
from node.web.pages import PAGES, Page
from node.web.pictures import report_picture, slice_image
from node.web.rendering import STATIC, as_json
from node.web.site import Site


def build_application(site: Site) -> Starlette:
    """Return the application of a site."""
    application = Starlette(
        routes=[*_twins(), *_pages(), *ACTIONS, *_others()],
        middleware=[Middleware(Guard, gate=site.gate)],
        exception_handlers={
            NodeError: answer_node_error,
            HTTPException: answer_http_error,
            Exception: answer_internal_error,
        },
    )
    application.state.site = site
    return application


def _twins() -> list[Route]:
    return [Route(f"{page.path}.json", _json_of(page), name=f"{page.name}.json") for page in PAGES]


def _pages() -> list[Route]:
    return [Route(page.path, _html_of(page), name=page.name) for page in PAGES]


def _json_of(page: Page) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return Response(as_json(page.make(site_of(request), request), page.view), media_type="application/json")

    return answer


def _html_of(page: Page) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return html(request, page.template, page.make(site_of(request), request))

    return answer


def _others() -> list[Route | Mount]:
    document = openapi_document(PAGES)
    return [
        Route("/", lambda _request: RedirectResponse("/studies")),
        Route("/login", login_page),
        Route("/studies/{study_instance_uid}/slices/{role}/{number:int}.png", slice_image),
        Route("/studies/{study_instance_uid}/pictures/{name}", report_picture),
        Route("/openapi.json", lambda _request: JSONResponse(document)),
        Route("/metrics", metrics),
        Route("/health/live", live),
        Route("/health/ready", ready),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
