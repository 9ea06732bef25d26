"""A Strands agent with two Tenantscope servers: each request carries the token of the moment, and no model is needed.

python agent.py --token-file acme.jwt --tenants http://127.0.0.1:8001/mcp --costs http://127.0.0.1:8002/mcp
"""
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
# (Strands has an environment of its own; see README.md.)

import argparse
import logging
from collections.abc import Generator
from pathlib import Path

import httpx2
from scripted import Answer, Ask, Scripted, Turn
from strands import Agent
from strands.models.model import Model
from strands.tools.mcp import MCPClient

SYSTEM = "You answer questions about a SaaS company's tenants and their cloud costs. Give the numbers as the tools do."
QUESTION = "Who am I, and what did it cost?"

TENANT_TURNS: list[Turn] = [
    Ask("tenants_whoami"),
    Ask("costs_get_costs", group_by="service", limit=3),
    Ask("costs_get_costs", tenant_id="globex"),  # what a model might be talked into
    Answer("Those are this tenant's own costs. Another tenant's are refused, whoever asks."),
]
PROVIDER_TURNS: list[Turn] = [
    Ask("tenants_whoami"),
    Ask("costs_rank_tenants_by_cost", limit=3),
    Ask("costs_get_allocation_report"),
    Answer("That is who costs most, and whether it ties to the bill."),
]


class TokenFromFile(httpx2.Auth):
    """Puts the token that the file holds now into every request, so that a renewed one is used from the next call on.

    One of these, and one MCPClient, for each user: a client that changes users would show one user's tools to another.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Sign one request."""
        request.headers["Authorization"] = f"Bearer {self._path.read_text().strip()}"
        yield request


def main() -> None:
    """Ask one question, print each tool's answer and the agent's own."""
    options = _options()
    logging.getLogger("strands").setLevel(logging.ERROR)  # a refusal is an answer here, not a fault to be traced
    auth = TokenFromFile(options.token_file)
    tenants = MCPClient(url=options.tenants, auth_provider=auth, prefix="tenants")
    costs = MCPClient(url=options.costs, auth_provider=auth, prefix="costs")
    with tenants, costs:
        tools = [*tenants.list_tools_sync(), *costs.list_tools_sync()]
        names = [tool.tool_name for tool in tools]
        print("tools:", ", ".join(names))
        agent = Agent(model=_model(options.model, names), tools=tools, system_prompt=SYSTEM, callback_handler=None)
        reply = agent(options.question)
        for message in agent.messages:
            for content in message["content"]:
                if asked := content.get("toolUse"):
                    print(f"\n→ {asked['name']} {asked['input']}")
                if got := content.get("toolResult"):
                    print(got["status"] + ":", got["content"][0].get("text", "")[:600])
        print(f"\n{reply}".rstrip())


def _model(name: str, tools: list[str]) -> Model:
    if name == "scripted":
        return Scripted(PROVIDER_TURNS if "costs_rank_tenants_by_cost" in tools else TENANT_TURNS)
    from strands.models import BedrockModel

    return BedrockModel(model_id=name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--token-file", type=Path, required=True, help="a file with the user's token")
    parser.add_argument("--tenants", required=True, metavar="URL", help="tenant-management over HTTP")
    parser.add_argument("--costs", required=True, metavar="URL", help="cost-explorer over HTTP")
    parser.add_argument("--model", default="scripted", help="a Bedrock model id; default: turns written down here")
    parser.add_argument("question", nargs="?", default=QUESTION)
    return parser.parse_args()


if __name__ == "__main__":
    main()
