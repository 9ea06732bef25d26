"""What the stores hold of one tenant, what was exported of it, and in which order tables are emptied."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

MOST_PARTS, _MOST_NAMES_BYTES = 25, 2_000
OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Held:
    """What one store holds of a tenant: `parts` by kind, `bytes` where the store tells."""

    store: str
    parts: Mapping[str, int]
    bytes: int | None = None

    @property
    def count(self) -> int:
        """How many things there are in all."""
        return sum(self.parts.values())

    def summed_up(self) -> "Held":
        """The same with the largest parts alone, and the others in one: as much as an answer and a workflow can tell.

        `bytes` and `count` stay.
        """
        told: dict[str, int] = {}
        size = 0
        for part, count in sorted(self.parts.items(), key=lambda each: (-each[1], each[0])):
            size += len(part.encode())
            if len(told) == MOST_PARTS or size > _MOST_NAMES_BYTES:
                break
            told[part] = count
        others = self.count - sum(told.values())
        return replace(self, parts=told | ({OTHERS: others} if others else {}))


@dataclass(frozen=True, slots=True)
class Exported:
    """A file of an export. `name` is below the export's folder; `rows` is None for what is copied as it is.

    `digest` is `sha256:` and 64 hex digits of the content, or for an object copied within S3 `etag:` and its ETag.
    """

    name: str
    bytes: int
    digest: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """How far the export of one store is: its files in order of name, complete where `done`."""

    files: Sequence[Exported]
    done: bool


def manifest_text(tenant: str, files: Iterable[Exported]) -> str:
    """The manifest of an export as JSON, the same for the same files."""
    listed = sorted(files, key=lambda one: one.name)
    content = {"format": 1, "tenant_id": tenant, "files": [asdict(one) for one in listed]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def children_first(tables: Iterable[str], references: Iterable[tuple[str, str]]) -> list[str]:
    """Tables so that each comes before those that it references; `references` holds (child, parent).

    Tables that reference each other in a circle come last, in order of name.
    """
    waiting = sorted(set(tables))
    pairs = [(child, parent) for child, parent in references if child != parent]
    ordered: list[str] = []
    while waiting:
        referenced = {parent for child, parent in pairs if child in waiting}
        free = [table for table in waiting if table not in referenced]
        if not free:
            return ordered + waiting
        ordered += free
        waiting = [table for table in waiting if table in referenced]
    return ordered
