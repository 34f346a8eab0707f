"""Results as tables: every contender of every case, one line a case, and two runs compared."""

from rich import box
from rich.table import Table

from benchmarks.contender import CONTENDERS
from benchmarks.results import Result, Row, against, best, changes, groups

COLUMNS = (
    "ms", "quartiles", "rounds", "jaxnet is faster by", "rate", "of ceiling", "of peak", "memory"
)  # fmt: skip


def heading(result: Result) -> str:
    """Where the figures come from."""
    machine, limits = result["machine"], result["ceilings"]
    flops = ", ".join(
        f"{name.removesuffix('_flops')} products {value / 1e9:,.0f} GFLOP/s"
        for name, value in limits.items()
        if name.endswith("_flops")
    )
    return (
        f"{machine['name']}, {machine['cores']} cores, {machine['date']}, {machine['revision']}; "
        f"{flops}, copies {limits['copy_bytes'] / 1e9:,.1f} GB/s"
    )


def table(result: Result) -> Table:
    """All rows."""
    made = _empty("contender", *COLUMNS)
    for rows in groups(result["rows"]).values():
        ours = best(rows, "jaxnet")
        made.add_row(f"[bold]{_title(rows[0])}[/bold]")
        for row in rows:
            low, high = row["quartiles"]
            lost = f" (+{row['disturbed']})" if row["disturbed"] else ""
            made.add_row(
                f"  {row['contender']} {row['variant']}",
                _ms(row["seconds"]),
                f"{_ms(low)} to {_ms(high)}",
                f"{row['rounds']}{lost}",
                f"{row['seconds'] / ours['seconds']:.3g}" if ours else "",
                _rate(row),
                *_shares(row, result),
                _memory(row["figures"]),
            )
    return made


def ratios(result: Result) -> list[tuple[str, float, dict[str, float]]]:
    """For each case: its name, jaxnet's seconds, how many times as long the others' best take."""
    found = []
    for rows in groups(result["rows"]).values():
        if (ours := best(rows, "jaxnet")) is not None:
            others = {who: against(rows, who) for who in CONTENDERS[1:]}
            known = {who: ratio for who, ratio in others.items() if ratio is not None}
            found.append((_title(ours), ours["seconds"], known))
    return found


def markdown(result: Result) -> str:
    """One line a case: jaxnet's time, and how many times as long the others' best takes."""
    cases = ratios(result)
    shown = [who for who in CONTENDERS[1:] if any(who in others for _, _, others in cases)]
    lines = [["", "jaxnet, ms", *shown], ["---"] * (2 + len(shown))]
    for title, seconds, others in cases:
        numbers = (f"{others[who]:.3g}" if who in others else "" for who in shown)
        lines.append([title, _ms(seconds), *numbers])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def comparison(old: Result, new: Result) -> Table:
    """What changed from one run to another."""
    made = _empty("contender", "before, ms", "after, ms", "faster by", "")
    title = None
    for was, row, ratio, apart in changes(old, new):
        if title != (title := _title(row)):
            made.add_row(f"[bold]{title}[/bold]")
        made.add_row(
            f"  {row['contender']} {row['variant']}",
            _ms(was["seconds"]),
            _ms(row["seconds"]),
            f"{ratio:.3g}",
            ("faster" if ratio > 1 else "slower") if apart else "within the spread",
        )
    return made


def _empty(*columns: str) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, name in enumerate(columns):
        made.add_column(name, justify="right" if i else "left", no_wrap=True)
    return made


def _title(row: Row) -> str:
    return f"{row['title']}, {row['case']}" if row["case"] else row["title"]


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.4g}"


def _rate(row: Row) -> str:
    if row["items"]:
        return f"{row['items'] / row['seconds']:,.0f}/s"
    return f"{row['flops'] / row['seconds'] / 1e9:,.3g} GFLOP/s" if row["flops"] else ""


def _shares(row: Row, result: Result) -> tuple[str, str]:
    """Of what was measured, the fastest matrix product or copy, and of what the datasheet says."""
    flops, moved = row["flops"], row["figures"].get("bytes")
    measured = "copy_bytes" if moved else f"{row['settings'].get('dtype', 'float32')}_flops"
    ceiling, peak = result["ceilings"].get(measured), result["machine"]["peak"]
    if not (flops or moved) or ceiling is None:
        return "", ""
    rate = (moved or flops) / row["seconds"]
    return f"{rate / ceiling:.0%}", f"{rate / peak[bool(moved)]:.1%}" if peak else ""


def _memory(figures: dict[str, float]) -> str:
    """The most that the device held, or what the step holds beside its state."""
    nbytes = figures.get("peak_bytes", figures.get("temporary_bytes"))
    return f"{nbytes / 2**20:,.4g} MiB" if nbytes else ""
