"""From an ASGI scope to the route template that answered, for FastAPI and Starlette.

The router leaves its choice in the scope; no route is matched a second time. Where the choice is hidden
(FastAPI leaves `route` unset for plain Starlette routes and for mounts) the template is looked up by the
endpoint's identity. Only declared templates are ever returned, so a client cannot make a new label.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

UNMATCHED = "__unmatched__"
"""The endpoint of every request that no route matched."""

_PARAMETER = re.compile(r"({[^}]*})")


class Endpoints:
    """The templates of one application's routes.

    They are collected when first needed, and again when one is missing and the outermost router has grown.
    """

    def __init__(self) -> None:
        self._router: object = None
        self._size = -1
        self._by_endpoint: dict[int, list[str]] = {}
        self._mounts: list[tuple[re.Pattern[str], str]] = []
        self._static_mounts: dict[str, str] = {}

    def template(self, scope: Mapping[str, Any]) -> str:
        """The full template of the route that answered, mounts and included routers included.

        A request that got no further than a mount (static files, a sub-application's 404) has the mount's
        template. Read it once the response has begun: before that the router may not have chosen.

        A middleware that hands a *copy* of the scope inwards hides the choice: `__unmatched__`.
        """
        route = scope.get("route")
        # A mount is no answer yet: FastAPI's own routes inside it (/docs) show up as `endpoint` only.
        if route is None or hasattr(route, "routes"):
            return self._of_endpoint(scope)
        context = scope.get("fastapi", {}).get("effective_route_context")
        if context is not None and context.original_route is route:
            # FastAPI >= 0.137: the original route does not know the prefix that it was included with.
            route = context
        path = getattr(route, "path", None)
        if not isinstance(path, str):
            return UNMATCHED
        return self._mount_of(scope) + path or "/"

    def _of_endpoint(self, scope: Mapping[str, Any]) -> str:
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return UNMATCHED
        templates = self._by_endpoint.get(id(endpoint))
        if templates is None and self._collect(scope):
            templates = self._by_endpoint.get(id(endpoint))
        if templates is None:
            return UNMATCHED
        if len(templates) == 1:
            return templates[0] or "/"
        # One function or application in several places: the address tells them apart if it has no parameter.
        places = (scope.get("path"), self._mount_of(scope))
        return next((template for template in templates if template in places), UNMATCHED)

    def _mount_of(self, scope: Mapping[str, Any]) -> str:
        """The template of the mounts on the way, or "" when there is none or it is not known."""
        outer = scope.get("app_root_path")  # set by the outermost Starlette mount
        if outer is None:
            return ""
        root_path = scope.get("root_path", "")
        if not root_path.startswith(outer):
            return ""
        # Mounts add to root_path what the client sent: a mount's parameter stands in it as a raw value.
        raw = root_path[len(outer) :]
        template = self._known_mount(raw)
        if template is None and self._collect(scope):
            template = self._known_mount(raw)
        return template or ""

    def _known_mount(self, raw: str) -> str | None:
        template = self._static_mounts.get(raw)
        if template is None:
            template = next((known for pattern, known in self._mounts if pattern.fullmatch(raw)), None)
        return template

    def _collect(self, scope: Mapping[str, Any]) -> bool:
        """Walk the routes of the outermost router; False when that would tell nothing new."""
        router = scope.get("router")
        routes = getattr(router, "routes", ())
        if router is self._router and len(routes) == self._size:
            return False
        by_endpoint: dict[int, list[str]] = {}
        mounts: list[tuple[re.Pattern[str], str]] = []
        static_mounts: dict[str, str] = {}
        for template, route, is_mount in _walk(routes, ""):
            target = getattr(route, "app" if is_mount else "endpoint", None)
            if target is None:
                continue
            templates = by_endpoint.setdefault(id(target), [])
            if template not in templates:
                templates.append(template)
            if is_mount and "{" in template:
                mounts.append((_pattern(template), template))
            elif is_mount:
                static_mounts[template] = template
        self._router, self._size = router, len(routes)
        self._by_endpoint, self._mounts, self._static_mounts = by_endpoint, mounts, static_mounts
        return True


def _walk(routes: Iterable[Any], prefix: str) -> Iterator[tuple[str, Any, bool]]:
    """Every route below, outer mounts first: its full template, the route, and whether it is a mount."""
    for declared in routes:
        # FastAPI >= 0.137 keeps an included router as one entry, which lists its routes with their prefix.
        contexts = getattr(declared, "effective_route_contexts", None)
        entries = [declared] if contexts is None else [c.starlette_route or c for c in contexts()]
        for route in entries:
            template = prefix + (getattr(route, "path", None) or "")
            is_mount = hasattr(route, "routes")
            yield template, route, is_mount
            if is_mount:
                yield from _walk(route.routes, template)


def _pattern(template: str) -> re.Pattern[str]:
    """What a mount with parameters looks like in `root_path`; `{name:path}` may span several segments."""
    parts = _PARAMETER.split(template)
    return re.compile(
        "".join(
            (".+" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part)
            for part in parts
        )
    )
