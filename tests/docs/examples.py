"""The examples of a Markdown page, in order."""

import re
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block; what a Python block prints may follow as a block."""

    language: str
    text: str
    output: str


class Command(NamedTuple):
    """A line after `$`, and the lines below it."""

    line: str
    output: str


def blocks(page: Path) -> list[Block]:
    """Return the page's fenced blocks, each with the plain one right after it."""
    text = page.read_text()
    found = list(_BLOCK.finditer(text))
    result = []
    for match, after in zip(found, [*found[1:], None], strict=True):
        output = ""
        if after and not after[1] and not text[match.end() : after.start()].strip():
            output = after[2]
        result.append(Block(match[1], match[2], output))
    return result


def commands(block: Block) -> list[Command]:
    """Return what a console block types, and what it shows for it."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    return [
        Command(line, output)
        for line, output in zip(parts[1::2], parts[2::2], strict=True)
    ]
