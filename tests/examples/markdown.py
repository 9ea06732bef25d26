"""Reading the documents: their text and the code in them."""

import re
from pathlib import Path

FENCE = re.compile(r"^([ ]*)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fences(path: Path, language: str) -> list[str]:
    """The blocks of a language, as they would be pasted."""
    found = [(indent, body) for indent, kind, body in FENCE.findall(text_of(path)) if kind == language]
    return ["\n".join(line.removeprefix(indent) for line in body.splitlines()) for indent, body in found]
