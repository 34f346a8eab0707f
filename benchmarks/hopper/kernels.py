"""Which kernels a compiled program runs, by kind, read from its text; a loop's body counts once."""

import re
from collections import Counter

_CALL = re.compile(r'custom_call_target="([^"]+)"')
_OPERATION = re.compile(r"^\s*(?:ROOT )?\S+ = (?:\(.*?\)|\S+) ([\w-]+)\(", re.M)
_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) .*\{\n((?:  .*\n)*)\}", re.M)

KINDS = {
    "products": r"__cublas\$",
    "attention forward": r"__cudnn\$fmha(?!.*Backward)",
    "attention backward": r"__cudnn\$fmha.*Backward",
    "convolutions": r"__cudnn\$conv",
}
OPERATIONS = ("fusion", "scatter", "copy", "while")


def kernels(text: str) -> dict[str, int]:
    """How many of each kind there are: of libraries' calls, and of XLA's own operations.

    A scatter counts where it is fused, too; all else is counted where it is a kernel of its own.
    """
    calls = Counter(_CALL.findall(text))
    found = {
        kind: sum(n for name, n in calls.items() if re.match(pattern, name))
        for kind, pattern in KINDS.items()
    }
    operations = Counter(_OPERATION.findall(text))
    return found | {name: operations[name] for name in OPERATIONS}
