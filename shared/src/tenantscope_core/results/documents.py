"""Files that a company owns, read strictly: what is wrong with one is a sentence that names its place."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast


class DocumentFault(ValueError):
    """The file cannot be used; the message is one sentence that names the entry and the key at fault."""


def read_yaml(text: str, at: str) -> object:
    """What a YAML text holds; `at` is how sentences name the file.

    Raises:
        DocumentFault: It is not YAML, or a key stands twice in a mapping, of which YAML would silently keep the last.
    """
    import yaml  # only who reads files needs it

    class UniqueKeyLoader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.nodes.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key_node, _ in node.value:
                key = str(key_node.value)
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} stands twice", key_node.start_mark
                    )
                seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=UniqueKeyLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date such as 2026-02-30 is a ValueError
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise DocumentFault(f"{capital(at)} is not valid YAML{where}: {getattr(error, 'problem', error)}.") from None


def mapping(value: object, at: str) -> Mapping[str, Any]:
    """A mapping whose keys are text.

    Raises:
        DocumentFault: It is none.
    """
    if not isinstance(value, dict):
        raise DocumentFault(f"{capital(at)} must be a mapping of keys to values.")
    pairs = cast(dict[object, Any], value)
    for key in pairs:
        if not isinstance(key, str):
            raise DocumentFault(f"{capital(at)} has the key {key!r}, which is not text; put it in quotes.")
    return {str(key): each for key, each in pairs.items()}


def sequence(value: object, at: str) -> Sequence[object]:
    """A list.

    Raises:
        DocumentFault: It is none.
    """
    if not isinstance(value, list):
        raise DocumentFault(f"{capital(at)} must be a list.")
    return cast(list[object], value)


def only(given: Collection[str], known: Collection[str], at: str) -> None:
    """Refuse a key that is not known.

    Raises:
        DocumentFault: There is one.
    """
    for key in given:
        if key not in known:
            raise DocumentFault(f"{capital(at)} does not know the key `{key}`; it knows {listing(sorted(known))}.")


def listing(names: Collection[str]) -> str:
    """Names as a sentence lists them."""
    return ", ".join(f"`{name}`" for name in names)


def capital(text: str) -> str:
    """Text as a sentence begins with it."""
    return text[:1].upper() + text[1:]
