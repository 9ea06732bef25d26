"""From the start of a process to its answer to `initialize` over stdio, and its peak memory after `tools/list`."""

import compileall
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks import ROOT
from benchmarks.figures import Figure, say
from benchmarks.parts import FLOOR, console_script, environment, scratch, servers
from benchmarks.peers import peers
from benchmarks.stdio import Started, start

RUNS, PEER_RUNS = 9, 3
MOST_TIMES_SLOWER, MOST_TIMES_LARGER = 1.2, 1.25
PEER_GOAL = "a peer"
_FLOOR = "floor"


def measure() -> Iterator[Figure]:
    """Start each in turn, several times over; the machine is as busy for one as for the other."""
    for sources in ("servers", "shared"):  # whatever PYTHONDONTWRITEBYTECODE says: an installer compiles as well
        compileall.compile_dir(ROOT / sources, quiet=1)
    ours = {name: (console_script(name), environment(name)) for name in servers()}
    installed, missing = peers()
    theirs = {peer.label: (peer.command, peer.environment) for peer in installed}
    starts: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {_FLOOR: (FLOOR, os.environ), **ours, **theirs}
    rounds: list[dict[str, Started]] = []
    broken: dict[str, str] = {one.peer.label: one.why for one in missing}
    for number in range(RUNS + 1):
        now: dict[str, Started] = {}
        for name, (command, env) in starts.items():
            if name in broken or (name in theirs and number > PEER_RUNS):
                continue
            try:
                now[name] = start(command, env, scratch())
            except (OSError, RuntimeError) as error:
                if name not in theirs:
                    raise
                broken[name] = f"not started: {error}"
        if number:  # the first fills the caches of the disk
            rounds.append(now)
        say(f"start: {number} of {RUNS}")
    for name in [*ours, *theirs]:
        if name not in broken:
            yield _seconds(name, rounds, is_peer=name in theirs)
    for name in [*ours, *theirs]:
        if name not in broken:
            yield _megabytes(name, rounds, is_peer=name in theirs)
    for name in theirs:
        if name not in broken:
            last = rounds[0][name]
            kilobytes = last.visible_bytes / 1_000
            yield Figure(f"{name}: a model reads", f"{kilobytes:.1f} KB", f"{len(last.tools)} tools", PEER_GOAL)
    for name, why in broken.items():
        yield Figure(name, why, "", PEER_GOAL)


def _seconds(name: str, rounds: Sequence[Mapping[str, Started]], *, is_peer: bool) -> Figure:
    seconds, slower = _beside_floor(name, rounds, lambda one: one.seconds)
    cpu = _beside_floor(name, rounds, lambda one: one.cpu_seconds)[1]
    return Figure(
        f"{name}: spawn to initialize",
        f"{seconds:.2f} s, {slower:.2f} x (CPU {cpu:.2f} x)",
        f"floor {seconds / slower:.2f} s",
        PEER_GOAL if is_peer else f"<= {MOST_TIMES_SLOWER} x",
        None if is_peer else slower <= MOST_TIMES_SLOWER,
    )


def _megabytes(name: str, rounds: Sequence[Mapping[str, Started]], *, is_peer: bool) -> Figure:
    megabytes, larger = _beside_floor(name, rounds, lambda one: one.megabytes)
    return Figure(
        f"{name}: peak memory after tools/list",
        f"{megabytes:.0f} MB, {larger:.2f} x",
        f"floor {megabytes / larger:.0f} MB",
        PEER_GOAL if is_peer else f"<= {MOST_TIMES_LARGER} x",
        None if is_peer else larger <= MOST_TIMES_LARGER,
    )


def _beside_floor(
    name: str, rounds: Sequence[Mapping[str, Started]], what: Callable[[Started], float]
) -> tuple[float, float]:
    """The median, and the median of what it is times the floor of the same round."""
    both = [(what(one[name]), what(one[_FLOOR])) for one in rounds if name in one]
    return median(own for own, _ in both), median(own / floor for own, floor in both)
