"""The catalogue's page is what its script makes of the code, and no row lacks a test."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_is_made_of_the_code_and_every_row_is_tested():
    check = [sys.executable, ROOT / "docs" / "catalogue" / "make.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
