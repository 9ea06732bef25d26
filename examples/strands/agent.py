"""A Strands agent with all six Tenantscope servers: each request carries the token of the moment; no model is needed.

python agent.py --token-file acme.jwt
"""
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
# (Strands has an environment of its own; see README.md.)

import argparse
import logging
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import httpx2
from scripted import Answer, Ask, Scripted, Turn
from strands import Agent
from strands.models.model import Model
from strands.tools.mcp import MCPClient

SERVERS = {
    "tenants": "http://127.0.0.1:8001/mcp",
    "costs": "http://127.0.0.1:8002/mcp",
    "usage": "http://127.0.0.1:8003/mcp",
    "cache": "http://127.0.0.1:8004/mcp",
    "memory": "http://127.0.0.1:8005/mcp",
    "pricing": "http://127.0.0.1:8006/mcp",
}
"""The prefix of each server's tools, and where it is unless `--server` says otherwise."""

SYSTEM = "You are a travel company's assistant. Look an answer up before you work it out, and give numbers as tools do."
QUESTION = "What may the Ortegas take on board to Honolulu, and what did we cost and pay?"
BAGGAGE = "What is the baggage allowance on flights from Lisbon to Honolulu?"
REPHRASED = "What's the baggage allowance for flights from Lisbon to Honolulu?"
ALLOWANCE = "Two bags of 23 kg each and one cabin bag of 8 kg."

TENANT_TURNS: list[Turn] = [
    Ask("tenants_whoami"),
    Ask("cache_lookup_answer", prompt=BAGGAGE, model="scripted"),
    Ask("cache_store_answer", prompt=BAGGAGE, answer=ALLOWANCE, model="scripted", shared=True),
    Ask("cache_lookup_answer", prompt=REPHRASED, model="scripted"),
    Ask(
        "memory_remember", actor="ortega", kind="preference", subject="airlines to avoid",
        text="The family does not want to fly with Condor Pacific.",
    ),
    Ask("memory_recall", actor="ortega", query="Which carriers should I not book for them?", limit=1),
    Ask("usage_get_feature_usage", limit=3),
    Ask("pricing_get_bill"),
    Ask("costs_get_costs", group_by="service", limit=3),
    Ask("costs_get_costs", tenant_id="globex"),  # what a model might be talked into
    Answer("Two bags each, not with Condor Pacific. The costs are this tenant's own; another's are refused."),
]  # fmt: skip
PROVIDER_TURNS: list[Turn] = [
    Ask("tenants_whoami"),
    Ask("costs_rank_tenants_by_cost", limit=3),
    Ask("costs_get_allocation_report"),
    Ask("usage_get_feature_usage", limit=3),
    Ask("usage_list_tenant_activity", limit=3),
    Ask("pricing_get_bill"),
    Answer("That is who costs most, whether it ties to the bill, what is used, who fades, and what comes in."),
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
    urls = SERVERS | dict(options.server)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(MCPClient(url=url, auth_provider=auth, prefix=name)) for name, url in urls.items()
        ]
        tools = [tool for client in clients for tool in client.list_tools_sync()]
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
    parser.add_argument(
        "--server", type=_named, action="append", default=[], metavar="NAME=URL", help="where a server is; repeatable"
    )
    parser.add_argument("--model", default="scripted", help="a Bedrock model id; default: turns written down here")
    parser.add_argument("question", nargs="?", default=QUESTION)
    return parser.parse_args()


def _named(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if name not in SERVERS or not url:
        raise argparse.ArgumentTypeError(f"NAME=URL, where NAME is one of {', '.join(SERVERS)}")
    return name, url


if __name__ == "__main__":
    main()
