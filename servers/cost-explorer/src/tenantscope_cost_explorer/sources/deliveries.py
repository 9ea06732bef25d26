"""What AWS Data Exports delivered of each billing period: which files are the period, told by its manifests.

An export writes `<export>/data/BILLING_PERIOD=2026-09/…` and, when all files of a delivery are there, a manifest of
them below `<export>/metadata/BILLING_PERIOD=2026-09/` ("Understanding export delivery" of the Data Exports guide). One
that overwrites has one manifest a period; one that creates new versions has a folder for each execution in both. The
newest manifest is the period. A place without a manifest is what lies in it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tenantscope_core.stores.raw_objects import RawObject

MAX_MANIFEST_BYTES = 16 << 20
_PLACE = re.compile(r"(.*?/?)(?:(?:data|metadata)/)?BILLING_PERIOD=(\d{4}-(?:0[1-9]|1[0-2]))/(.*)", re.IGNORECASE)
_MANIFEST = "manifest.json"
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_TIMED = r"\d{4}-?\d{2}-?\d{2}T[0-9:.]+Z?"
_EXECUTION = re.compile(rf"({_TIMED})?-?(?:{_UUID})?/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BillObject(RawObject):
    """One object of the bill; `month`, `export` and `listed` are those of its `BillFile`."""

    month: str | None = None
    export: str = ""
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object of an export lies: below which root, of which period, and its path within that."""

    root: str
    month: str
    path: str

    @property
    def execution(self) -> str:
        """The folder of one delivery of several, or nothing."""
        folder = self.path.rpartition("/")[0] + "/"
        return folder[:-1] if folder != "/" and _EXECUTION.fullmatch(folder) else ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest, and where it lies; `name` is the export's."""

    object: RawObject
    place: Place

    @property
    def export(self) -> tuple[str, str, str]:
        """Root, period and name of the export whose period it tells."""
        return self.place.root, self.place.month, self.place.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Delivered:
    """The objects of a bill, and the periods that are not whole with what is wrong with each."""

    objects: list[BillObject] = field(default_factory=list[BillObject])
    faults: dict[str, str] = field(default_factory=dict[str, str])


def place_of(name: str) -> Place | None:
    """Where an object of that name lies; None where its place names no billing period."""
    match = _PLACE.fullmatch(name)
    return Place(match[1], match[2], match[3]) if match else None


def is_manifest(name: str) -> bool:
    """Whether a file of that name can be a manifest of AWS Data Exports."""
    return name.lower().endswith(_MANIFEST)


def newest(manifests: Iterable[RawObject]) -> list[Manifest]:
    """The newest manifest of each period of each export: by the time in its folder's name, else when it was written."""
    groups: dict[tuple[str, str, str], list[Manifest]] = {}
    for one in manifests:
        place = place_of(one.name)
        if place is not None:
            manifest = Manifest(one, place)
            groups.setdefault(manifest.export, []).append(manifest)
    return [_last(group) for group in groups.values()]


def listed_files(text: str) -> list[str] | None:
    """The paths, within their period, that a manifest's text lists; None where it is no manifest."""
    try:
        document: Any = json.loads(text)
    except ValueError:
        return None
    files = cast(Mapping[str, Any], document).get("dataFiles") if isinstance(document, dict) else None
    if not isinstance(files, list) or not files:
        return None
    places = [place_of(one) if isinstance(one, str) else None for one in cast(list[object], files)]
    return [place.path for place in places if place is not None] if None not in places else None


def empty(one: BillObject) -> str:
    """The sentence for an object of no bytes."""
    return f"The bill's file {one.name} is empty; export it again."


def settle(objects: Sequence[RawObject], manifests: Mapping[Manifest, list[str] | None]) -> Delivered:
    """What of the objects is the bill, and which periods are half written.

    `manifests` are the newest ones with the files they list (None: the manifest cannot be read).
    """
    delivered = Delivered()
    periods: dict[tuple[str, str], list[tuple[RawObject, Place]]] = {}
    for one in objects:
        place = place_of(one.name)
        if place is None:
            delivered.objects.append(BillObject(one.name, one.size, one.etag, one.modified))
        else:
            periods.setdefault((place.root, place.month), []).append((one, place))
    told: dict[tuple[str, str], list[Manifest]] = {}
    for manifest in manifests:
        told.setdefault((manifest.place.root, manifest.place.month), []).append(manifest)
    for key in sorted(periods.keys() | told.keys()):
        there = periods.get(key, [])
        chosen, fault = _period(key[1], there, [(one, manifests[one]) for one in told.get(key, [])])
        if fault is not None:
            delivered.faults.setdefault(key[1], fault)
        delivered.objects.extend(chosen)
    for one in delivered.objects:
        if not one.size and one.month is not None:
            delivered.faults.setdefault(one.month, empty(one))
    delivered.objects.sort(key=lambda one: one.name)
    return delivered


def _last(group: Sequence[Manifest]) -> Manifest:
    times = [_EXECUTION.match(manifest.place.execution + "/") for manifest in group]
    if all(match is not None and match[1] for match in times):
        return max(group, key=lambda manifest: manifest.place.execution)
    return max(group, key=lambda manifest: (manifest.object.modified, manifest.place.execution))


def _period(
    month: str, there: Sequence[tuple[RawObject, Place]], told: Sequence[tuple[Manifest, list[str] | None]]
) -> tuple[list[BillObject], str | None]:
    if not told:
        executions = sorted({place.execution for _, place in there if place.execution})
        chosen = [_of(one, place, place.root) for one, place in there]
        if len(executions) > 1:
            first, second = (next(one.name for one, place in there if place.execution == e) for e in executions[:2])
            return chosen, (
                f"The bill of {month} has several deliveries, with {first} and {second}, and no manifest says which one"
                " counts; bring its metadata folder too, or leave one."
            )
        return chosen, None
    paths = {place.path: (one, place) for one, place in there}
    chosen, listed = list[BillObject](), set[str]()
    for manifest, files in told:
        name = manifest.object.name
        if files is None:
            return [], f"The manifest {name} of {month} cannot be read; export it again."
        for path in files:
            if path in listed:
                return [], f"The bill of {month} is there twice: {paths[path][0].name} is listed again by {name}."
            if path not in paths:
                return [], f"The bill of {month} is half written: {name} lists {path}, which is not there yet."
            chosen.append(_of(*paths[path], f"{manifest.place.root}{manifest.export[2]}", listed=True))
            listed.add(path)
    current = {place.execution for path, (_, place) in paths.items() if path in listed}
    for path, (one, place) in paths.items():
        if path not in listed and (not place.execution or place.execution in current):
            return chosen, (
                f"The bill of {month} is half written: {one.name} is there, and no manifest lists it; wait for the"
                " export, or delete the file if it is a leftover."
            )
    return chosen, None


def _of(one: RawObject, place: Place, export: str, *, listed: bool = False) -> BillObject:
    return BillObject(one.name, one.size, one.etag, one.modified, place.month, export, listed)
