"""The receipt of a tenant that left: what each store held, that it is gone, what stays and why."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StoreLine:
    """One store: what it held before, by kind, and how many things are left of it."""

    store: str
    held: Mapping[str, int]
    bytes: int | None
    left: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known for good of a tenant that left. `export` is where what it had was put, None where it was not."""

    tenant: str
    workflow: str
    started: str
    finished: str
    stores: Sequence[StoreLine]
    export: Mapping[str, Any] | None
    kept: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """As JSON values, with a digest of them."""
        told = asdict(self)
        text = json.dumps(told, sort_keys=True, ensure_ascii=False)
        return {**told, "digest": hashlib.sha256(text.encode()).hexdigest()}
