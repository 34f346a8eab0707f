"""Every code block of the README and of the pages it links to is run, and prints what it says."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

from jaxnet import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")


def runnable(code):
    """Programs for PyTorch or Keras run where those are installed; elsewhere they must compile."""
    needs = re.findall(r"^import (torch|keras)$", code, re.MULTILINE)
    return all(importlib.util.find_spec(name) for name in needs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_run(page):
    namespace, printed = {}, ""
    blocks = BLOCK.findall(page.read_text())
    assert any(language == "python" for language, _ in blocks)
    for language, code in blocks:
        if language == "python":
            program = compile(code, page.name, "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                if runnable(code):
                    exec(program, namespace)
            printed = out.getvalue()
        elif language == "text":
            assert NUMBER.sub("#", printed) == NUMBER.sub("#", code)
            numbers = zip(NUMBER.findall(printed), NUMBER.findall(code), strict=True)
            assert all(float(a) == pytest.approx(float(b), rel=0.05, abs=2e-3) for a, b in numbers)
        else:
            assert language == "bash"
            check_commands(code.splitlines())


def check_commands(lines):
    """Commands of make that are in the Makefile, or of jaxnet on a file that is there."""
    makefile = (ROOT / "Makefile").read_text()
    for line in lines:
        command, name, *rest = line.split("#")[0].split()
        if command == "make":
            assert re.search(rf"^{name}:", makefile, re.MULTILINE)
        else:
            assert command == "jaxnet" and callable(getattr(cli, name.replace("eval", "evaluate")))
            assert not rest or (ROOT / rest[0]).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert all((page.parent / link).exists() for link in links if "://" not in link)
