"""Makes the golden files of the parts. Run by hand, in the repository's root, with

    python tests/golden/make_parts.py [room …]

in an environment with torch, torchvision and safetensors; last run with torch 2.13.0,
torchvision 0.28.0, numpy 2.5.5 and safetensors 0.8.0. Each ``parts/<room>.py`` has a list ``CASES``
(see case.py) and becomes ``parts/<room>.safetensors``, float64, with all arrays in jaxnet's layout:

    <case>/args/<i>, <case>/arrays/<name>, <case>/params/<path>   what the call is given
    <case>/results/<i>        its results, in the order of jax.tree.leaves
    <case>/cotangents/<i>     of the results, by which these gradients are pulled back:
    <case>/grads/args/<i>, <case>/grads/arrays/<name>, <case>/grads/params/<path>
    <case>/new/<path>         statistics after a training call

Metadata ``cases`` (JSON): each case's ``call``, ``options`` and ``train``.
"""

import importlib
import json
import sys
from pathlib import Path

import torch
from case import run
from safetensors.numpy import save_file

FOLDER = Path(__file__).parent / "parts"


def main(rooms: list[str]) -> None:
    torch.set_num_threads(1)  # sums in one order on any machine
    for room in rooms or sorted(path.stem for path in FOLDER.glob("[!_]*.py")):
        cases = importlib.import_module(f"parts.{room}").CASES
        names = [case.name for case in cases]
        assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
        arrays = {f"{case.name}/{path}": x for case in cases for path, x in run(case).items()}
        config = {
            case.name: {"call": case.call, "options": case.options, "train": case.train}
            for case in cases
        }
        path = FOLDER / f"{room}.safetensors"
        save_file(arrays, path, {"cases": json.dumps(config)})
        path.chmod(0o644)
        print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
