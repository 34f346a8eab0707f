"""How long ``import jaxnet`` takes against ``import jax``: whole processes, in turns.

python benchmarks/import_time.py [rounds]
"""

import statistics
import subprocess
import sys
import time

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 21
STATEMENTS = ("import jax", "import jax; import jaxnet")


def seconds(statement: str) -> float:
    """The time of one process that runs the statement and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print each statement's median and quartiles, and the ratio of the medians."""
    times: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for statement in STATEMENTS:
        seconds(statement)  # from now on files are cached and compiled
    for _ in range(ROUNDS):
        for statement in STATEMENTS:
            times[statement].append(seconds(statement))
    for statement, taken in times.items():
        low, middle, high = statistics.quantiles(taken, n=4)
        print(f"{statement:26} {middle:.3f} s ({low:.3f} to {high:.3f}, {ROUNDS} rounds)")
    first, second = (statistics.median(times[statement]) for statement in STATEMENTS)
    print(f"ratio {second / first:.2f}")


if __name__ == "__main__":
    main()
