"""The formats that a bill may have, behind one narrow interface, and which one a file is of, told by its columns."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tenantscope_core.results.errors import DataFault

from tenantscope_cost_explorer.sources.exports.cur import Cur
from tenantscope_cost_explorer.sources.exports.files import BillFile, Schema
from tenantscope_cost_explorer.sources.exports.focus import Focus


class Format(Protocol):
    """A format of bills; the relation `charges` is the same whichever it is (see `charges`)."""

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        ...

    @property
    def required(self) -> Sequence[str]:
        """The columns that every file must have."""
        ...

    @property
    def faults(self) -> Mapping[str, str]:
        """Columns of the format, and the SQL on its rows that holds where one is at fault."""
        ...

    def knows(self, schema: Schema) -> bool:
        """Whether these are columns of this format."""
        ...

    def version(self, schema: Schema) -> str:
        """The name with the version, as far as the columns tell."""
        ...

    def period(self, schema: Schema) -> str:
        """The column that says the billing period."""
        ...

    def rows(self, files: Sequence[BillFile], schema: Schema) -> str:
        """SQL of the charges in files of one schema and one named month, with `month` and the format's own columns."""
        ...

    def tables(self, branches: Sequence[str]) -> Mapping[str, str]:
        """SQL of tables that `together` reads, by name, to be made in this order from the rows of each schema."""
        ...

    def together(self, branches: Sequence[str]) -> str:
        """SQL of all charges of a month, without the format's own columns, from the rows of each schema."""
        ...


FORMATS: tuple[Format, ...] = (Focus(), Cur())
LEGACY = "lineItem/UnblendedCost"


def format_of(file: BillFile, schema: Schema) -> Format:
    """The format of a file with these columns.

    Raises:
        DataFault: It is none that is known, or a column that it must have is missing.
    """
    for one in FORMATS:
        if one.knows(schema):
            missing = next((column for column in one.required if column not in schema), None)
            if missing is not None:
                raise DataFault(f"The bill's file {file} has no column {missing}, which {one.name} must have.")
            return one
    if LEGACY in schema:
        raise DataFault(f"The bill's file {file} is a legacy Cost and Usage Report; export CUR 2.0 or FOCUS instead.")
    raise DataFault(f"The bill's file {file} has no column BilledCost; it is neither a FOCUS export nor CUR 2.0.")
