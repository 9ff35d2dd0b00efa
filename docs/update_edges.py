"""Measure where claims stop to hold, along the parameter that each names, and write the table of edges.

`python docs/update_edges.py` measures those claims whose edge is missing or out of date; `python docs/update_edges.py
KEY ...` measures these. Every edge is kept as soon as it is known.
"""

import json
import sys
from pathlib import Path

from solvable.claims import Claim, all_claims, find, find_edge
from solvable.claims.known_edges import EDGES, known_edge, read_edges, setting_of
from solvable.report.tables import edges_markdown

PAGE = Path(__file__).parent / "edges.md"
INTRODUCTION = """# Where the claims stop to hold

Each claim below names one parameter along which it breaks. It was pushed away from the claim's own value, at quick
effort and seed 0, until the error passed the claim's tolerance; `solvable check KEY --edge auto` repeats it and
`--out DIR` draws it. Made by `docs/update_edges.py`.

"""


def main(keys: list[str]) -> None:
    """Measure and write; a claim that is gone leaves the file."""
    named = [claim for key in keys for claim in find(key)]
    for claim in named or [claim for claim in all_claims() if claim.breaks and not known_edge(claim)]:
        edge = find_edge(claim)
        print(edge.sentence, flush=True)
        row = edge.to_row()
        kept = {name: row[name] for name in ("parameter", "holds_until", "fails_from", "remark")}
        _write({**read_edges(), claim.key: {"setting": setting_of(claim), **kept}})


def _write(edges: dict) -> None:
    claims: dict[str, type[Claim]] = {claim.key: claim for claim in all_claims() if claim.breaks}
    current = {key: edges[key] for key in claims if key in edges}
    EDGES.write_text(json.dumps(current, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    read_edges.cache_clear()
    rows = [{"claim": key, "from": getattr(claims[key](), edge["parameter"]), **edge} for key, edge in current.items()]
    PAGE.write_text(INTRODUCTION + edges_markdown(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
