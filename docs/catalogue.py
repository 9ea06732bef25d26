"""Writes what is generated from the servers themselves: README tables and a snapshot of every tool.

python docs/catalogue.py            renew them
python docs/catalogue.py --check    fail if one is not current
"""

import argparse
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving.settings import settings_table
from tenantscope_core.serving.spec import ServerSpec
from tenantscope_core.tool import Tool

ROOT = Path(__file__).resolve().parents[1]
SNAPSHOTS = ROOT / "tests/contract/snapshots"


@dataclass(frozen=True)
class StandingServer:
    """A server of this repository: its folder, its distribution and what it declares."""

    folder: Path
    distribution: str
    spec: ServerSpec[Any, Any]

    @property
    def package(self) -> str:
        """Its import name."""
        return self.spec.package


def standing_servers() -> list[StandingServer]:
    """Every server that has a folder under `servers/`, in order of name."""
    found: list[StandingServer] = []
    for project in sorted(ROOT.glob("servers/*/pyproject.toml")):
        name = str(tomllib.loads(project.read_text())["project"]["name"])
        module = importlib.import_module(f"{name.replace('-', '_')}.server")
        found.append(StandingServer(project.parent, name, module.SERVER))
    return found


def visible_bytes(tool: Tool) -> int:
    """What a model has to read of a tool, in its longer form: name, description and input schema."""
    shown = tool.listed(Audience.PROVIDER)
    return len(json.dumps([shown.name, shown.description, shown.input_schema], separators=(",", ":")).encode())


def snapshot(tool: Tool) -> str:
    """A tool as hosts see it: once for the audience that sees more, and the tenant's input where it differs."""
    provider, tenant = tool.listed(Audience.PROVIDER), tool.listed(Audience.TENANT)
    shown = provider.model_dump(mode="json", by_alias=True, exclude_none=True)
    if tenant.input_schema != provider.input_schema:
        shown["inputSchema for a tenant"] = tenant.input_schema
    guard = {"shown to": tool.shown_to.value, "scopes": sorted(tool.scopes)}
    return json.dumps({**guard, **shown}, indent=2, ensure_ascii=False) + "\n"


def tools_table(server: StandingServer) -> str:
    """A server's tools as a Markdown table."""
    rows = ["| tool | for | scopes | what it answers |", "| --- | --- | --- | --- |"]
    for tool in server.spec.tools:
        scopes = ", ".join(f"`{scope}`" for scope in sorted(tool.scopes)) or "any token"
        sentence = tool.description.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        rows.append(f"| `{tool.name}` | {tool.shown_to.value} | {scopes} | {sentence} |")
    return "\n".join(rows)


def servers_table(servers: list[StandingServer]) -> str:
    """All servers as a Markdown table, with what their catalogues cost a model to read."""
    rows = ["| server | what it tells | tools | a model reads |", "| --- | --- | --- | --- |"]
    for server in servers:
        tools = ", ".join(f"`{tool.name}`" for tool in server.spec.tools)
        size = sum(visible_bytes(tool) for tool in server.spec.tools)
        folder = server.folder.relative_to(ROOT)
        about = _about(server.folder)
        rows.append(f"| [{server.spec.name}]({folder}/README.md) | {about} | {tools} | {size / 1000:.1f} KB |")
    return "\n".join(rows)


def _about(folder: Path) -> str:
    """What a server's distribution says of itself, as far as it is about this server."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["description"]).partition(": ")[0]


def generated_files() -> Iterator[tuple[Path, str]]:
    """Every generated file and what it must contain."""
    servers = standing_servers()
    readme = ROOT / "README.md"
    yield readme, _filled(readme, {"servers": servers_table(servers)})
    for server in servers:
        path = server.folder / "README.md"
        blocks = {"tools": tools_table(server), "settings": settings_table(server.spec.settings)}
        yield path, _filled(path, blocks)
        for tool in server.spec.tools:
            yield SNAPSHOTS / server.spec.name / f"{tool.name}.json", snapshot(tool)


def _filled(path: Path, blocks: dict[str, str]) -> str:
    """A file's text with each block between its two markers renewed."""
    text = path.read_text(encoding="utf-8")
    for name, block in blocks.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(marked.findall(text)) != 1:
            raise SystemExit(f"{path.relative_to(ROOT)} needs one pair of markers <!-- {name} --> and <!-- /{name} -->")
        text = marked.sub(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)
    return text


def stale_files() -> list[str]:
    """What is not current: files that differ, and snapshots of tools that are gone."""
    wanted = dict(generated_files())
    differing = [
        path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    gone = [path for path in SNAPSHOTS.rglob("*.json") if path not in wanted]
    return sorted(str(path.relative_to(ROOT)) for path in [*differing, *gone])


def main() -> int:
    """Renew or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something is not current")
    stale = stale_files()
    if parser.parse_args().check:
        for path in stale:
            print(f"not current: {path} (make generate)", file=sys.stderr)  # noqa: T201
        return 1 if stale else 0
    for path, text in generated_files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in set(stale_files()):
        (ROOT / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
