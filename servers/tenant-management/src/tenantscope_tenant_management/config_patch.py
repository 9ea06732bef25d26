"""A tenant's own settings: a merge patch, its bounds, and the company's schema that the result must fit."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from tenantscope_core.results.errors import InvalidArgument

MAX_BYTES = 8 * 1024
"""So that an answer holds all of them, and an audit event what they were and became."""
MAX_DEPTH = 12
_MAX_PLACE = 200
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")

Settings = Mapping[str, Any]
Schema = Mapping[str, Any]


def patched(settings: Settings, patch: Settings) -> dict[str, Any]:
    """Settings after a JSON Merge Patch (RFC 7396): null takes a field away, an object is merged, all else replaces.

    Raises:
        InvalidArgument: The patch is nested too deeply, or the result is too large, or it holds what no JSON text can:
            other planes read the settings too.
    """
    if not _is_shallow(patch, MAX_DEPTH):
        raise InvalidArgument(f"patch may be nested {MAX_DEPTH} deep at most.", parameter="patch")
    merged = _merged(settings, patch)
    size = _bytes_of(merged)
    if size > MAX_BYTES:
        raise InvalidArgument(
            f"The settings would have {size:,} bytes; at most {MAX_BYTES:,} are kept.", parameter="patch"
        )
    return merged


def require_fit(settings: Settings, schema: Schema | None, *, parameter: str = "patch") -> None:
    """Let settings pass that the company's schema allows.

    The schema is one that `require_quick` let pass.

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
    if fault.validator is None:  # a schema that is `false`, whose place the library does not tell
        raise InvalidArgument("Something is set where the company's schema allows nothing.", parameter=parameter)
    place = _place(fault.absolute_path)
    asked = json.dumps(fault.validator_value, ensure_ascii=False, default=str)
    shown = asked if len(asked) <= _MAX_PLACE else "what the schema says there"
    raise InvalidArgument(
        f"{place + ' does' if place else 'The settings do'} not fit the company's schema for settings: "
        f"`{fault.validator}` asks {shown}.",
        parameter=parameter,
    )


def require_quick(schema: Any) -> None:
    """Let a schema pass that takes no long time whatever it is asked about: it is asked between other calls.

    Raises:
        ValueError: It has what can take for ever; the message is one sentence that says what.
    """
    if isinstance(schema, list):
        for each in cast(list[Any], schema):
            require_quick(each)
    if not isinstance(schema, Mapping):
        return
    for name, value in cast(Schema, schema).items():
        if (name == "uniqueItems" and value is True) or (name == "patternProperties" and value):
            raise ValueError(f"`{name}` can take for ever on some settings; describe them without it")
        if name == "pattern" and isinstance(value, str) and not _is_quick(value):
            raise ValueError(
                "a `pattern` must begin with ^ and have no group and at most two of * + {n,}; others can take for ever"
            )
        require_quick(value)


def _is_quick(pattern: str) -> bool:
    """Whether its time grows with the square of a text at most: no repetition is within another."""
    plain = re.sub(r"\\.", "", pattern)
    return pattern.startswith("^") and "(" not in plain and len(re.findall(r"[*+]|\{\d*,\}", plain)) <= 2


def _place(path: Iterable[str | int]) -> str:
    """Where in the settings; a name that could be read as more than a name is the caller's own, and is not repeated."""
    shown = ".".join(str(step) if isinstance(step, int) or _NAME.fullmatch(step) else "?" for step in path)
    return shown if len(shown) <= _MAX_PLACE else shown[:_MAX_PLACE] + "…"


def _bytes_of(settings: Settings) -> int:
    try:
        return len(json.dumps(settings, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        raise InvalidArgument("The settings would hold text that is not Unicode.", parameter="patch") from None
    except ValueError:
        raise InvalidArgument(
            "The settings would hold a number that JSON does not have, or a very long one.", parameter="patch"
        ) from None


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
