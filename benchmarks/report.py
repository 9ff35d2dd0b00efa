"""How every benchmark shows what it measured."""

from rich.console import Console
from rich.table import Table


def report(rows, chosen, title="float64, one thread each"):
    """Run the chosen rows, or all, and print them; 1 if one of them missed what is asked."""
    table = Table("work", "measured", "asked", "", "detail", title=title)
    missed = 0
    for name in chosen or rows:
        for work, value, sign, bound, detail in rows[name]():
            reached = value >= bound if sign == ">=" else value <= bound
            missed += not reached
            table.add_row(work, f"{value:.3g}", f"{sign} {bound:g}", "" if reached else "MISSED", detail)
    Console(width=150).print(table)
    return int(missed > 0)
