"""A tenant's own settings: a merge patch, its bounds, and the company's schema that the result must fit."""

import json
from collections.abc import Mapping
from typing import Any, cast

from tenantscope_core.results.errors import InvalidArgument

MAX_BYTES = 8 * 1024
"""So that an answer holds all of them, and an audit event what they were and became."""
MAX_DEPTH = 12
_MAX_PLACE = 200

Settings = Mapping[str, Any]
Schema = Mapping[str, Any]


def patched(settings: Settings, patch: Settings) -> dict[str, Any]:
    """Settings after a JSON Merge Patch (RFC 7396): null takes a field away, an object is merged, all else replaces.

    Raises:
        InvalidArgument: The patch is nested too deeply, or the result is too large.
    """
    if not _is_shallow(patch, MAX_DEPTH):
        raise InvalidArgument(f"patch may be nested {MAX_DEPTH} deep at most.", parameter="patch")
    merged = _merged(settings, patch)
    size = len(json.dumps(merged, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        raise InvalidArgument(
            f"The settings would have {size:,} bytes; at most {MAX_BYTES:,} are kept.", parameter="patch"
        )
    return merged


def require_fit(settings: Settings, schema: Schema | None, *, parameter: str = "patch") -> None:
    """Let settings pass that the company's schema allows.

    Raises:
        InvalidArgument: They do not fit; the sentence names the place and what the schema asks there, never a value.
    """
    if schema is None:
        return
    import jsonschema

    library: Any = jsonschema
    fault: Any = library.exceptions.best_match(library.Draft202012Validator(schema).iter_errors(dict(settings)))
    if fault is None:
        return
    place = ".".join(str(step) for step in fault.absolute_path) or "the settings"
    asked = json.dumps(fault.validator_value, ensure_ascii=False, default=str)
    shown = asked if len(asked) <= _MAX_PLACE else "what the schema says there"
    raise InvalidArgument(
        f"{_safe(place)} does not fit the company's schema for settings: `{fault.validator}` asks {shown}.",
        parameter=parameter,
    )


def _safe(place: str) -> str:
    """A place as a sentence may name it: names in it may be the caller's own."""
    shown = "".join(sign if sign.isalnum() or sign in "._-[] " else "?" for sign in place)
    return shown if len(shown) <= _MAX_PLACE else shown[:_MAX_PLACE] + "…"


def _merged(target: Any, patch: Settings) -> dict[str, Any]:
    result = dict(cast(Settings, target)) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = _merged(result.get(name), cast(Settings, value))
        else:
            result[name] = value
    return result


def _is_shallow(value: Any, depth: int) -> bool:
    """Whether a value is nested no deeper; looks no deeper either."""
    if isinstance(value, Mapping):
        inner = list(cast(Settings, value).values())
    elif isinstance(value, list):
        inner = cast(list[Any], value)
    else:
        return True
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in inner)
