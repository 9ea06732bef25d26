"""The months of a rollup: each is skipped when its inputs are known, committed whole, and fails alone."""

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.dataset_writer import DatasetWriter, Part
from tenantscope_core.stores.datasets import fetch_manifest
from tenantscope_core.stores.departures import Departures
from tenantscope_core.stores.manifests import Manifest
from tenantscope_core.stores.schemas import Dataset

Say = Callable[[str], None]


class Outcome(StrEnum):
    """What became of a month."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    NOTHING = "nothing"
    FAILED = "failed"


class Refused(Exception):
    """A month's result contradicts its input: a fault of ours, and nothing is committed."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a rollup is asked for: these months, or (None) all that its input has."""

    months: tuple[Month, ...] | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Rolled:
    """A month's rows of one dataset, as files."""

    dataset: Dataset
    fleet: Part
    tenants: Mapping[str, Part] = field(default_factory=dict[str, Part])


def inputs_hash(*made_from: object) -> str:
    """A hash of all that a month's rows are made from, in JSON's terms."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:32]


class Commits:
    """Commits the months of a rollup with the fleet's session.

    Whether a month is done is read from `done_when`, which is committed after the others. `registry` is the table that
    tells which tenants are leaving or have left: nothing is written for them, and the fleet's copies keep their rows.
    None where there is no registry.
    """

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        *,
        done_when: Dataset,
        registry: str | None,
        clock: Callable[[], datetime],
        say: Say,
    ) -> None:
        self._aws = aws
        self._bucket = bucket
        self._done_when = done_when
        self._clock = clock
        self._say = say
        self._departures = Departures(aws, registry, clock=clock, say=say)
        self._writer = DatasetWriter(aws, bucket, clock=clock, departures=self._departures)

    async def each_month(
        self,
        request: Request,
        there: Collection[Month],
        work: Callable[[Month], Awaitable[Outcome]],
        *,
        what: str,
    ) -> dict[Month, Outcome]:
        """Do the months in order; one that fails is said and does not keep the others from being done.

        `there` are the months that the input, named by `what`, has something of.

        Raises:
            ToolFailure: The registry does not tell which tenants have left.
        """
        await self._departures.read()
        outcomes: dict[Month, Outcome] = {}
        months = sorted(there) if request.months is None else sorted(set(request.months))
        if not months:
            self._say(f"The {what} has no files.")
        for month in months:
            if month not in there:
                self._say(f"{month}: the {what} has nothing")
                outcomes[month] = Outcome.NOTHING
                continue
            try:
                outcomes[month] = await work(month)
            except ToolFailure as failure:
                self._say(f"{month}: failed: {failure.sentence}")
                outcomes[month] = Outcome.FAILED
            except Refused as error:
                self._say(f"refused: {error}")
                outcomes[month] = Outcome.FAILED
        return outcomes

    async def manifest(self, dataset: Dataset) -> Manifest:
        """What is committed of a dataset for the fleet.

        Raises:
            ToolFailure: S3 refused or does not answer.
        """
        try:
            manifest, _ = await fetch_manifest(self._aws, self._bucket, dataset.name, None)
        except AwsError as error:
            raise error.as_failure() from error
        return manifest

    async def has(self, month: Month, inputs: str) -> bool:
        """Whether the month is committed as made from these inputs, and then says so."""
        known = (await self.manifest(self._done_when)).months.get(str(month))
        if known is None or known.inputs != inputs:
            return False
        self._say(f"{month}: unchanged since {known.written:%Y-%m-%d %H:%M} UTC, skipped")
        return True

    async def commit(self, month: Month, inputs: str, rolled: Sequence[Rolled], *, force: bool) -> None:
        """Commit a month's rows of every dataset, `done_when` last.

        Raises:
            ToolFailure: AWS refused or failed, or the registry does not tell who has left; run it again.
        """
        left = await self._departures.read() & {tenant for one in rolled for tenant in one.tenants}
        if left:
            self._say(f"{month}: {len(left):,} tenants are leaving or have left: theirs is not written, the fleet's is")
        run = f"{self._clock():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        for one in sorted(rolled, key=lambda one: one.dataset == self._done_when):
            await self._writer.commit(
                one.dataset.name,
                str(month),
                run=run,
                inputs=inputs,
                tenants=one.tenants,
                fleet=one.fleet,
                force=force,
            )
        rows = sum(one.fleet.rows for one in rolled if one.dataset == self._done_when)
        self._say(f"{month}: committed {rows:,} rows as run {run}")

    async def sweep(self, datasets: Sequence[Dataset]) -> int:
        """Delete what runs before the last one of each month left behind, a day after it was written; how many objects.

        Raises:
            ToolFailure: S3 or the registry refused or does not answer.
        """
        await self._departures.read()
        return sum([await self._writer.sweep(dataset.name) for dataset in datasets])
