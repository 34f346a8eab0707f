"""Measure jaxnet against hand-written JAX and other libraries, on one device.

python -m benchmarks [names] [--device cpu|gpu|tpu] [--against ...] [--out FILE]
python -m benchmarks --compare OLD NEW
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.contender import CONTENDERS
from benchmarks.results import Result, load, save
from benchmarks.run import run
from benchmarks.table import comparison, heading, markdown, table
from benchmarks.workload import find, names


def arguments() -> argparse.Namespace:
    """Those of the command line."""
    known = names()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure jaxnet against hand-written JAX and other libraries.",
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(known)}")
    parser.add_argument("--device", choices=("cpu", "gpu", "tpu"), default="cpu")
    parser.add_argument("--against", nargs="*", choices=CONTENDERS[1:], default=CONTENDERS[1:])
    parser.add_argument("--out", type=Path, help="write FILE (JSON) and a picture beside it (png)")
    parser.add_argument("--rounds", type=int, default=9, help="undisturbed ones of each contender")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a round")
    parser.add_argument("--small", action="store_true", help="sizes that any device can do")
    parser.add_argument("--quick", action="store_true", help="what a newcomer would wait for")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="print a table of results")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("OLD", "NEW"))
    args = parser.parse_args()
    if unknown := set(args.names) - set(known):
        parser.error(
            f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(known)}"
        )
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    return args


def main() -> None:
    """Run, print and write."""
    args, console = arguments(), Console(width=None if sys.stdout.isatty() else 180)
    try:
        if args.compare:
            return console.print(comparison(*map(load, args.compare)))
        if args.markdown:
            return print(markdown(load(args.markdown)))
    except ValueError as problem:
        sys.exit(str(problem))
    sizes = "small" if args.small else args.device
    chosen = args.names or [name for name in names() if find(name).quick or not args.quick]
    chosen = [name for name in chosen if find(name).on(sizes)]

    def keep(result: Result) -> None:
        if args.out:
            save(result, args.out)

    result = run(
        chosen, args.device, args.against, rounds=args.rounds, seconds=args.seconds, sizes=sizes,
        quick=args.quick, say=lambda text: console.print(text, markup=False, highlight=False),
        keep=keep,
    )  # fmt: skip
    console.print(table(result))
    console.print(heading(result))
    if args.out:
        try:
            from benchmarks.picture import draw

            draw(result, args.out.with_suffix(".png"))
        except ImportError:
            console.print("no picture: pip install 'jaxnet[plot]'")
    return None


if __name__ == "__main__":
    main()
