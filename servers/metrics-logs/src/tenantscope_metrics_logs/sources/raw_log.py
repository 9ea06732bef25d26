"""The raw log: which days an object is of, and its lines as files that DuckDB reads.

Objects are unpacked here and not by DuckDB, which takes a truncated or corrupted gzip for a short one.
"""

import re
import threading
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import BinaryIO

from tenantscope_core.results.errors import DataFault

from tenantscope_metrics_logs.counting import MAX_LINE_BYTES

CHUNK_BYTES = 64 << 20
BATCH_BYTES = 512 << 20
PEEK_BYTES = 64 << 10
_PIECE_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_STAND_IN = b"\x1a"
"""Stands for a control character, which is in no line that any format would write."""
_TOO_LONG = _STAND_IN * (MAX_LINE_BYTES + 1)
_CONTROLS = bytes.maketrans(bytes([*range(9), *range(11, 32)]), _STAND_IN * 30)

_DAY = re.compile(r"(?<!\d)(20\d\d)([-/._]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_HIVE_DAY = re.compile(r"year=(20\d\d)/month=(\d\d?)/day=(\d\d?)(?!\d)")
_NOT_LOGS = re.compile(r"(^|/)([._][^/]*|ELBAccessLogTestFile|[^/]*\.(md|parquet))$")


@dataclass(frozen=True, slots=True)
class Span:
    """Days of a file's lines, both included."""

    first: date
    last: date

    @property
    def before(self) -> date:
        """The day before the first."""
        return self.first - timedelta(days=1)

    @property
    def after(self) -> date:
        """The day after the last."""
        return self.last + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A local file of the log; `own` is whether it is the month's that is rolled up."""

    name: str
    path: Path
    days: Span | None
    own: bool = True


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of files that are alike: of the same days and, for CloudFront, with the same `#Fields`."""

    path: Path
    days: Span | None
    own: bool
    header: str | None


def is_log(name: str) -> bool:
    """Whether an object of that name can hold log lines."""
    return not _NOT_LOGS.search(name)


def days_of(name: str) -> Span | None:
    """The day that an object's name tells: `day=2026-10-01/`, `2026/10/01/`, `.2026-10-01-13.`, `-20261001`."""
    for match in (_HIVE_DAY.search(name), *_DAY.finditer(name)):
        if match is not None:
            numbers = [int(group) for group in match.groups() if group.isdigit()]
            try:
                day = date(numbers[0], numbers[1], numbers[2])
            except ValueError:
                continue
            return Span(day, day)
    return None


def peek(file: LogFile) -> list[str]:
    """The first lines of a file, whole ones.

    Raises:
        DataFault: It is damaged.
    """
    with file.path.open("rb") as source:
        start = b""
        for piece in _pieces(source, file.name, PEEK_BYTES):
            start += piece
            if len(start) >= PEEK_BYTES:
                break
    lines = start.decode("utf-8", "replace").splitlines()
    return lines if len(start) < PEEK_BYTES else lines[:-1]


class Unpacker:
    """Unpacks files into chunks, a batch of bounded size at a time; blocks, and belongs on a thread."""

    def __init__(self, files: Sequence[LogFile], folder: Path, *, threads: int, with_headers: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting = deque(_Stream(file, with_headers) for file in files)
        self._folder = folder
        self._threads = threads
        self._numbers = count()
        self._lock = threading.Lock()
        self._unpacked = 0

    def next_batch(self, stop: threading.Event) -> list[Chunk]:
        """The next chunks, none when all is unpacked; ends early once `stop` is set.

        Raises:
            DataFault: A file is damaged; it is named.
        """
        self._unpacked = 0
        with ThreadPoolExecutor(self._threads) as pool:
            working = [pool.submit(self._work, stop) for _ in range(self._threads)]
            return [chunk for work in working for chunk in work.result()]

    def _work(self, stop: threading.Event) -> list[Chunk]:
        written: list[Chunk] = []
        open_files: dict[tuple[Span | None, bool, str | None], tuple[Chunk, BinaryIO]] = {}
        try:
            while not stop.is_set() and (stream := self._next()) is not None:
                for lines in stream.lines:
                    kind = (stream.file.days, stream.file.own, stream.header)
                    if kind not in open_files:
                        chunk = Chunk(self._folder / f"{next(self._numbers)}.log", *kind)
                        written.append(chunk)
                        open_files[kind] = chunk, chunk.path.open("wb")
                    out = open_files[kind][1]
                    out.write(lines)
                    self._unpacked += len(lines)
                    if out.tell() >= CHUNK_BYTES:
                        open_files.pop(kind)[1].close()
                    if self._unpacked >= BATCH_BYTES or stop.is_set():
                        with self._lock:
                            self._waiting.appendleft(stream)
                        return written
        finally:
            for _, out in open_files.values():
                out.close()
        return written

    def _next(self) -> "_Stream | None":
        with self._lock:
            if self._unpacked >= BATCH_BYTES or not self._waiting:
                return None
            return self._waiting.popleft()


class _Stream:
    """A file under way: where it stands, and its header once that was read."""

    def __init__(self, file: LogFile, with_header: bool) -> None:
        self.file = file
        self.header: str | None = None
        self._with_header = with_header
        self.lines = self._lines()

    def _lines(self) -> Iterator[bytes]:
        """The file's bytes in pieces of whole lines; a line without end is cut, and still too long."""
        if self._with_header:
            self.header = next((line for line in peek(self.file) if line.startswith("#Fields:")), None)
        rest, skipping = b"", False
        with self.file.path.open("rb") as source:
            for piece in _pieces(source, self.file.name, _PIECE_BYTES):
                if skipping:
                    _, newline, piece = piece.partition(b"\n")
                    if not newline:
                        continue
                    skipping = False
                end = piece.rfind(b"\n") + 1
                if end:
                    yield _cut(rest + piece[:end])
                    rest = piece[end:]
                else:
                    rest += piece
                if len(rest) > _PIECE_BYTES:
                    yield _cut(rest) + b"\n"
                    rest, skipping = b"", True
        if rest:
            yield _cut(rest) + b"\n"


def cleaned(chunks: Sequence[Chunk]) -> None:
    """Rewrite chunks so that DuckDB reads every line of them: UTF-8, one kind of newline, no controls, no giant lines.

    A control character becomes one that stands for all; what is no UTF-8 becomes U+FFFD. No line is lost or joined.
    """
    for chunk in chunks:
        clean = chunk.path.with_suffix(".clean")
        with chunk.path.open("rb") as source, clean.open("wb") as out:
            while lines := source.readlines(_PIECE_BYTES * 8):
                out.write(_clean(b"".join(lines)))
        clean.replace(chunk.path)


def _clean(lines: bytes) -> bytes:
    return lines.replace(b"\r\n", b"\n").translate(_CONTROLS).decode("utf-8", "replace").encode()


def _cut(lines: bytes) -> bytes:
    """Lines, of which those that are too long are cut just where they become so, and nothing else is left of them."""
    step = MAX_LINE_BYTES // 2
    if all(lines.find(b"\n", at, at + step) >= 0 for at in range(0, len(lines) - step, step)):
        return lines  # every stretch has a line's end, so no line is longer than two
    return b"\n".join(line if len(line) <= MAX_LINE_BYTES else _TOO_LONG for line in lines.split(b"\n"))


def _pieces(source: BinaryIO, name: str, size: int) -> Iterator[bytes]:
    """The content of a file, unpacked if it is gzip.

    Raises:
        DataFault: It is gzip, and damaged.
    """
    packed = source.read(2) == _GZIP
    source.seek(0)
    if not packed:
        while piece := source.read(size):
            yield piece
        return
    try:
        yield from _unpacked(source, size)
    except (zlib.error, EOFError):
        raise DataFault(f"The access log's file {name} is damaged and cannot be read; deliver it again.") from None


def _unpacked(source: BinaryIO, size: int) -> Iterator[bytes]:
    """Raises zlib.error where the content is corrupt, EOFError where it ends too soon."""
    member = zlib.decompressobj(wbits=31)
    while packed := source.read(_PIECE_BYTES >> 2):
        while packed:
            if member.eof:
                if not packed.strip(b"\0"):
                    break  # padding
                member = zlib.decompressobj(wbits=31)
            piece = member.decompress(packed, size)
            packed = member.unused_data if member.eof else member.unconsumed_tail
            if piece:
                yield piece
    if not member.eof:
        raise EOFError
