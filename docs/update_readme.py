"""Write the table of claims into README.md, between its two catalogue comments."""

from pathlib import Path

from solvable.report.tables import catalogue_markdown

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- catalogue: made by docs/update_readme.py -->", "<!-- end of catalogue -->"


def with_catalogue(text: str) -> str:
    """The README with a table that is up to date."""
    from solvable.claims.catalogue import all_claims, describe

    before, rest = text.split(START)
    _, after = rest.split(END)
    table = catalogue_markdown([describe(claim) for claim in all_claims()])
    return f"{before}{START}\n{table}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_catalogue(README.read_text(encoding="utf-8")), encoding="utf-8")
