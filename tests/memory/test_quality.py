"""Whether recall finds the right turn, on a few conversations written for it: a guard, and no figure."""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from memory.asking import Agent, Places, process
from memory.writing import NoModel

OWN: dict[str, Any] = tomllib.loads((Path(__file__).parent / "own_conversations.toml").read_text())
FIRST = 10


async def tell(agent: Agent) -> None:
    """Let it all be said, each session in one call."""
    for name, session in OWN["sessions"].items():
        events = [
            {
                "role": "assistant" if speaker == "assistant" else "user", "name": speaker, "text": text,
                "key": str(number), "at": session["at"],
            }
            for number, (speaker, text) in enumerate(session["turns"])
        ]  # fmt: skip
        await agent.ask("add_events", session=name, events=events)


async def hits(agent: Agent) -> list[bool]:
    """For each question, whether the turn that answers it is among the first ten."""
    found: list[bool] = []
    for question in OWN["questions"]:
        answer = await agent.ask("recall", query=question["asks"], limit=FIRST, max_tokens=5_000)
        places: Sequence[list[Any]] = [[memory["session"], memory["seq"]] for memory in answer["memories"]]
        found.append(question["found"] in places)
    return found


async def test_most_questions_find_their_turn_and_more_than_by_words_alone(places: Places):
    async with process(places) as sources, process(replace(places, embedder=NoModel())) as without:
        await tell(Agent(sources))
        both, by_words = await hits(Agent(sources)), await hits(Agent(without))
        missed = [question["asks"] for question, hit in zip(OWN["questions"], both, strict=True) if not hit]
        assert sum(both) >= 20, missed
        assert sum(both) >= sum(by_words) + 3
