"""The OpenAPI document of the JSON twins, written from the same table as the pages."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter

from node import __version__
from node.web.pages import Page

_PLACE = re.compile(r"\{(\w+)\}")
_ERROR = {"type": "object", "properties": {"error": {"type": "string"}, "code": {"type": "string"}}, "required": ["error"]}
_TEXT = {"type": "string"}


def openapi_document(pages: Iterable[Page]) -> dict[str, Any]:
    """Return the document, OpenAPI 3.1."""
    adapters: list[tuple[Page, TypeAdapter[object]]] = [(page, TypeAdapter(page.view)) for page in pages]
    inputs = [(page.name, "serialization", adapter) for page, adapter in adapters]
    schemas, whole = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    paths = {f"{page.path}.json": {"get": _operation(page, schemas[page.name, "serialization"])} for page, _ in adapters}
    return {
        "openapi": "3.1.0",
        "info": {"title": "cspine-node", "version": __version__, "description": "JSON twins of the pages; no patient data."},
        "paths": paths,
        "components": {
            "schemas": {**whole.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(page: Page, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON Schema
    placed = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in _PLACE.findall(page.path)]
    asked = [{"name": name, "in": "query", "description": text, "schema": _TEXT} for name, text in page.parameters.items()]
    error = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return {
        "operationId": page.name,
        "summary": page.summary,
        "parameters": placed + asked,
        "responses": {
            "200": {"description": page.summary, "content": {"application/json": {"schema": schema}}},
            "401": {"description": "log in, or send the token", **error},
            "404": {"description": "not here", **error},
            "503": {"description": "the job database is away", **error},
        },
    }
