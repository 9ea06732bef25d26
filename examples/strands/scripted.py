"""A Strands model that says what is written down for it: an agent runs without a network and without a key."""
# pyright: basic, reportMissingImports=false

import json
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Any

from strands.models.model import Model
from strands.types.streaming import StreamEvent


class Ask:
    """A turn that calls a tool."""

    def __init__(self, tool: str, **arguments: Any) -> None:
        self.tool = tool
        self.arguments = arguments


@dataclass(frozen=True)
class Answer:
    """A turn that ends the conversation."""

    text: str


Turn = Ask | Answer


class Scripted(Model):
    """Takes its turns in order, whatever it is told."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = list(turns)
        self._taken = 0

    def update_config(self, **model_config: Any) -> None:
        """Nothing can be configured."""

    def get_config(self) -> dict[str, str]:
        """The name under which traces show it."""
        return {"model_id": "scripted"}

    def structured_output(self, *_: Any, **__: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Not needed here."""
        raise NotImplementedError

    async def stream(self, *_: Any, **__: Any) -> AsyncIterable[StreamEvent]:
        """The next turn, as a provider would stream it."""
        turn = self._turns[self._taken]
        self._taken += 1
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(turn, Ask):
            use = {"toolUseId": f"call-{self._taken}", "name": turn.tool}
            yield {"contentBlockStart": {"start": {"toolUse": use}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(turn.arguments)}}}}
        else:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": turn.text}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if isinstance(turn, Ask) else "end_turn"}}
        yield {
            "metadata": {
                "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
                "metrics": {"latencyMs": 0},
            }
        }
