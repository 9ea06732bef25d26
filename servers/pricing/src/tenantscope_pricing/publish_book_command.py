"""The `publish-book` command: reads a price book, says what it would change, and with --commit publishes it."""

import argparse
from pathlib import Path

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.documents import mapping, read_yaml
from tenantscope_core.results.errors import NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.serving.job_output import say
from tenantscope_core.serving.open_datasets import open_datasets
from tenantscope_core.serving.owned_files import read_owned
from tenantscope_core.serving.rollup_words import rollup_folder
from tenantscope_core.serving.spec import Runtime

from tenantscope_pricing.book import Book
from tenantscope_pricing.book_file import book_of
from tenantscope_pricing.revisions import compare
from tenantscope_pricing.settings import Settings
from tenantscope_pricing.sources.books import Books


async def publish_book(runtime: Runtime[Settings], aws: TenantSession, arguments: argparse.Namespace) -> int:
    """The command: 0 where the book may be published, or is."""
    from tenantscope_core.stores.workbench import Limits  # not loaded by a server that only answers

    from tenantscope_pricing.sources.publishing import Publisher

    settings, now = runtime.settings, runtime.clock()
    document, book = read_book(arguments.file)
    say(f"{arguments.file.name}: {len(book.versions)} versions, {len(book.contracts):,} contracts, valid")
    with open_datasets(runtime) as datasets:
        before = await _published(Books(datasets.reader, datasets.engine), aws)
    revision = compare(before, book, Month(now.year, now.month))
    for change in revision.changes or ("nothing changes",):
        say(f"  {change}")
    if revision.faults:
        for fault in revision.faults:
            say(f"refused: {fault}")
        say("Bills of closed months must come out the same for ever; mend a mistake with a credit in this month.")
        return 1
    if not arguments.commit:
        say("dry run: nothing is written; --commit publishes it")
        return 0
    with rollup_folder(settings) as folder:
        limits = Limits(settings.rollup_memory, settings.rollup_threads)
        publisher = Publisher(
            aws,
            settings.datasets_bucket,
            folder,
            registry=settings.tenants_table,
            clock=runtime.clock,
            say=say,
            limits=limits,
        )
        await publisher.publish(document, book, before)
    return 0


def read_book(path: Path) -> tuple[dict[str, object], Book]:
    """A book's file as a document and as a book.

    Raises:
        InvalidArgument: It cannot be read, or is not valid.
    """

    def parsed(text: str) -> tuple[dict[str, object], Book]:
        document = dict(mapping(read_yaml(text, "the price book"), "the price book"))
        return document, book_of(document)

    return read_owned(path, parsed, what="The price book")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the price book, YAML")
    parser.add_argument("--commit", action="store_true", help="publish it; without, only say what would change")


async def _published(books: Books, aws: TenantSession) -> Book | None:
    try:
        return await books.book(aws, None)
    except NotFound:
        return None
