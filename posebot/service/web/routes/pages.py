"""The page's files and the API documentation: routes like all others, so that authentication applies to them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from posebot.service.auth.identity import PUBLIC
from posebot.service.errors import NotFound
from posebot.service.web.authentication import requires

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent.parent / "page"
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript",
          ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
          ".json": "application/json", ".woff2": "font/woff2", ".map": "application/json", ".txt": "text/plain"}
_DOCS_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
_DOCS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>posebot: API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"></head><body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>"""
_START = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true});"


@router.get("/")
@requires("read")
async def index() -> Response:
    """The page."""
    return _file(FOLDER, "index.html")


@router.get("/login")
@requires(PUBLIC)
async def login() -> Response:
    """The login page."""
    return _file(FOLDER / "public", "login.html")


@router.get("/public/{path:path}")
@requires(PUBLIC)
async def public(path: str) -> Response:
    """Assets of the login page."""
    return _file(FOLDER / "public", path)


@router.get("/favicon.ico")
@requires(PUBLIC)
async def icon() -> Response:
    """Requested by browsers on their own."""
    return _file(FOLDER / "public", "favicon.ico")


@router.get("/static/{path:path}")
@requires("read")
async def static(path: str) -> Response:
    """Assets of the page."""
    return _file(FOLDER, path)


@router.get("/docs")
@requires("read")
async def docs() -> Response:
    """Swagger UI, served without a CDN."""
    return HTMLResponse(_DOCS, headers={"Content-Security-Policy": _DOCS_POLICY})


@router.get("/docs/{name}")
@requires("read")
async def docs_file(name: str) -> Response:
    """Files of Swagger UI, from the package swagger_ui_bundle."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in ("swagger-ui.css", "swagger-ui-bundle.js"):
        raise NotFound("there is no such file")
    vendored = next(entry for entry in files("swagger_ui_bundle").joinpath("vendor").iterdir())
    return _file(Path(str(vendored)), name)


@router.get("/openapi.json")
@requires("read")
async def openapi(request: Request) -> Response:
    """The OpenAPI schema."""
    return JSONResponse(request.app.openapi())


def _file(folder: Path, name: str) -> Response:
    """A file below the folder, of a known type. Raises NotFound."""
    path = None if "\0" in name else (folder / name).resolve()
    if path is None or folder.resolve() not in path.parents or path.suffix not in _TYPES or not path.is_file():
        raise NotFound("there is no such file")
    return FileResponse(path, media_type=_TYPES[path.suffix], headers={"Cache-Control": "no-cache"})
