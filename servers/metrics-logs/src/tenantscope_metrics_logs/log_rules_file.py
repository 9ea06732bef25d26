"""The rules file of an access log: YAML that the company owns, read strictly."""

import re
from collections.abc import Mapping, Sequence
from typing import cast

from tenantscope_core.results.documents import DocumentFault, capital, listing, mapping, only, read_yaml, sequence
from tenantscope_core.stores.schemas import TENANT_ID

from tenantscope_metrics_logs.log_rules import (
    FORMAT,
    Constant,
    Field,
    Host,
    LogRules,
    PathPart,
    QueryParameter,
    Source,
)
from tenantscope_metrics_logs.metrics import OTHER_FEATURE
from tenantscope_metrics_logs.routes import METHODS, Route, RouteFault, RouteTable

MAX_ROUTES = 500
MAX_SOURCES = 5
REQUEST_FIELDS = ("time", "method", "path", "status", "bytes", "milliseconds", "seconds", "microseconds", "host")
"""What `fields` may name."""
DURATIONS = ("milliseconds", "seconds", "microseconds")

_KINDS = ("field", "host", "path", "query", "constant")
_FIELD = re.compile(r"[A-Za-z0-9_@$()-]{1,60}(\.[A-Za-z0-9_@$()-]{1,60}){0,4}")
_QUERY = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}")
_SLOT = "{tenant}"


def parse_log_rules(text: str) -> LogRules:
    """The rules in a YAML text.

    Raises:
        DocumentFault: The text is not YAML, or says something that is not understood.
    """
    at = "the access log's rules"
    top = mapping(read_yaml(text, at), at)
    only(top, {"format", "tenant", "tenants", "user", "fields", "routes", "other"}, at)
    if top.get("format") != FORMAT:
        raise DocumentFault(f"The access log's rules must say `format: {FORMAT}`.")
    if "tenant" not in top:
        raise DocumentFault("The access log's rules need `tenant`: where a line says whose it is.")
    other = top.get("other", "count")
    if other not in ("count", "leave_out"):
        raise DocumentFault("`other` must be `count` or `leave_out`.")
    return LogRules(
        tenant=_sources(top["tenant"], "`tenant`"),
        tenants=_tenants(top.get("tenants", {})),
        user=_sources(top["user"], "`user`") if "user" in top else (),
        fields=_fields(top.get("fields", {})),
        routes=_routes(top["routes"]) if "routes" in top else None,
        other_is_a_feature=other == "count",
    )


def routes_text(routes: Sequence[Route]) -> str:
    """Routes as the `routes` of a rules file, each its own feature until someone names it."""
    lines = [f'  - {{route: "{route.template}"}}' for route in routes]
    return "\n".join(["routes:  # give several the same `feature: name` to count them as one", *lines])


def _sources(value: object, at: str) -> tuple[Source, ...]:
    listed = sequence(cast(object, value), at) if isinstance(value, list) else [value]
    if not 1 <= len(listed) <= MAX_SOURCES:
        raise DocumentFault(f"{capital(at)} must name one to {MAX_SOURCES} sources.")
    return tuple(_source(one, at) for one in listed)


def _source(value: object, at: str) -> Source:
    given = mapping(value, at)
    only(given, _KINDS, at)
    if len(given) != 1:
        raise DocumentFault(f"{capital(at)} needs exactly one of {listing(_KINDS)}.")
    ((kind, name),) = given.items()
    if not isinstance(name, str) or not name:
        raise DocumentFault(f"`{kind}` of {at} must be text; put numbers in quotes.")
    match kind:
        case "field":
            return Field(_matching(_FIELD, name, f"`field` of {at}", "a field's name"))
        case "query":
            return QueryParameter(_matching(_QUERY, name, f"`query` of {at}", "a parameter's name"))
        case "constant":
            return Constant(_matching(re.compile(TENANT_ID), name, f"`constant` of {at}", "an id"))
        case "host":
            return _host(name, at)
        case _:
            return _path(name, at)


def _host(pattern: str, at: str) -> Host:
    before, slot, after = pattern.lower().partition(_SLOT)
    if not slot or not after.startswith(".") or not re.fullmatch(r"[a-z0-9.-]*", before + after):
        raise DocumentFault(f"`host` of {at} must be like `{_SLOT}.example.com`.")
    return Host(before, after)


def _path(pattern: str, at: str) -> PathPart:
    head, *parts = pattern.removesuffix("/").split("/")
    below = tuple(part.lower() for part in parts[:-1])
    if head or parts[-1:] != [_SLOT] or not all(re.fullmatch(r"[a-z0-9._~-]{1,60}", one) for one in below):
        raise DocumentFault(f"`path` of {at} must end with `{_SLOT}`, like `/t/{_SLOT}`.")
    return PathPart(below)


def _tenants(value: object) -> tuple[tuple[str, str], ...]:
    pairs = mapping(value, "`tenants`")
    for name, tenant in pairs.items():
        if not isinstance(tenant, str) or not re.fullmatch(TENANT_ID, tenant):
            raise DocumentFault(f"`tenants` maps {name!r} to {tenant!r}, which is not a tenant id.")
    return tuple(sorted(pairs.items()))


def _fields(value: object) -> Mapping[str, str]:
    given = mapping(value, "`fields`")
    only(given, REQUEST_FIELDS, "`fields`")
    if sum(one in given for one in DURATIONS) > 1:
        raise DocumentFault(f"`fields` may name only one of {listing(DURATIONS)}.")
    return {
        ours: _matching(_FIELD, theirs, f"`fields.{ours}`", "a field's name") for ours, theirs in sorted(given.items())
    }


def _routes(value: object) -> tuple[Route, ...]:
    listed = sequence(value, "`routes`")
    if not 1 <= len(listed) <= MAX_ROUTES:
        raise DocumentFault(f"`routes` must list one to {MAX_ROUTES} routes; leave it out to have them learned.")
    routes = tuple(_route(one, number) for number, one in enumerate(listed, start=1))
    try:
        RouteTable.of(routes)
    except RouteFault as fault:
        raise DocumentFault(str(fault)) from None
    return routes


def _route(value: object, number: int) -> Route:
    at = f"route {number}"
    given = mapping(value, at)
    only(given, {"route", "feature", "actions"}, at)
    template = given.get("route")
    if not isinstance(template, str):
        raise DocumentFault(f"{capital(at)} needs a `route`, such as `/trips/{{id}}/booking`.")
    feature = given.get("feature", template)
    if feature != template:
        _matching(_NAME, feature, f"`feature` of {at}", "a name of letters, digits, spaces, `.`, `_` or `-`")
    if feature == OTHER_FEATURE:
        raise DocumentFault(f"`feature` of {at} may not be `{OTHER_FEATURE}`: that is what has no feature.")
    actions = mapping(given.get("actions", {}), f"`actions` of {at}")
    only(actions, METHODS, f"`actions` of {at}")
    named = tuple(
        (method, _matching(_NAME, name, f"`actions.{method}` of {at}", "a name")) for method, name in actions.items()
    )
    return Route(feature, template, tuple(sorted(named)))


def _matching(pattern: re.Pattern[str], value: object, at: str, what: str) -> str:
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise DocumentFault(f"{capital(at)} is {value!r}, which is not {what}.")
