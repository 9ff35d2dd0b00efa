"""Paper metadata, kept once in ``papers.bib``, and what rests on each paper."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from solvable.claims.catalogue import all_claims, find, nearest
from solvable.errors import OutsideDomain

PAPERS = Path(__file__).with_name("papers.bib")

# papers.bib keeps to a regular subset: one entry `@kind{key,` ... `}`, one `name = {value},` a line.
_ENTRY = re.compile(r"^@(?P<kind>\w+)\{(?P<key>\w+),\n(?P<body>(?:  .*\n)+)\}$", re.MULTILINE)
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},?$", re.MULTILINE)


@dataclass(frozen=True)
class Paper:
    """One entry of the bibliography.

    Attributes
    ----------
    key, fields, bibtex
        The paper's permanent key, its BibTeX fields by name, and the entry as it stands in the file.

    Raises
    ------
    Nothing.

    References
    ----------
    The entry itself.
    """

    key: str
    fields: dict[str, str]
    bibtex: str

    @property
    def citation(self) -> str:
        """The paper in one line: authors, year, title, venue and link."""
        venue = next((self.fields[name] for name in ("journal", "booktitle", "note") if name in self.fields), "")
        volume, pages = self.fields.get("volume", ""), self.fields.get("pages", "").replace("--", "-")
        place = ", ".join(filter(None, (f"{venue} {volume}".strip(), pages)))
        head = f"{_authors(self.fields['author'])} ({self.fields['year']})"
        return _plain(". ".join(filter(None, (head, self.fields["title"], place, self.link))))

    @property
    def link(self) -> str:
        """Where to read it; empty when no link is known."""
        prefixes = {"eprint": "https://arxiv.org/abs/", "doi": "https://doi.org/", "url": ""}
        return next((prefix + self.fields[name] for name, prefix in prefixes.items() if name in self.fields), "")


_ACCENTS = {"'": "\u0301", '"': "\u0308", "`": "\u0300", "^": "\u0302", "~": "\u0303", "c": "\u0327", "v": "\u030c"}


def _plain(text: str) -> str:
    """TeX's accents as letters, and no braces."""
    accented = re.compile(r"""\\(['"`^~]|[cv](?=\s*\{))\s*\{?(\w)\}?""")
    letters = accented.sub(lambda found: unicodedata.normalize("NFC", found[2] + _ACCENTS[found[1]]), text)
    return re.sub(r"[{}]", "", letters)


@dataclass(frozen=True)
class Citation:
    """What to cite, and what rests on it; as text it is all three parts.

    Attributes
    ----------
    paper
        The entry of the bibliography, with ``citation``, ``link`` and ``bibtex``.
    claims
        Keys of the claims whose source it is.

    Raises
    ------
    Nothing.

    References
    ----------
    The paper.
    """

    paper: Paper
    claims: tuple[str, ...]

    def __str__(self) -> str:
        rests = ", ".join(self.claims) or "no claim of its own; theory refers to it"
        return f"{self.paper.citation}\n\nRests on it: {rests}\n\n{self.paper.bibtex}"


def read_bibliography(path: Path = PAPERS) -> dict[str, Paper]:
    """The papers by key, in the file's order.

    Raises
    ------
    OutsideDomain
        The file strays from the regular subset, or an entry lacks author, title or year.

    References
    ----------
    The file.
    """
    text = path.read_text(encoding="utf-8")
    papers = {
        entry["key"]: Paper(entry["key"], dict(_FIELD.findall(entry["body"])), entry[0])
        for entry in _ENTRY.finditer(text)
    }
    lost = [key for key in re.findall(r"@\w+\{\s*([^,\s]*)", text) if key not in papers]
    lost += [key for key, paper in papers.items() if not {"author", "title", "year"} <= paper.fields.keys()]
    if lost:
        raise OutsideDomain(f"`{path.name}` cannot be read at {', '.join(lost)}; write one `name = {{value}},` a line.")
    return papers


def cite(key: str) -> Citation:
    """What to cite for a paper or a claim, and which claims rest on it.

    Parameters
    ----------
    key
        A paper's key, ``paper/Claim``, or a claim's unique name.

    Raises
    ------
    OutsideDomain
        No such key, with the nearest ones.

    References
    ----------
    ``papers.bib``.

    Examples
    --------
    >>> print(cite("zhang2026"))  # doctest: +SKIP
    """
    papers, claims = read_bibliography(), all_claims()
    known = {word for claim in claims for word in (claim.key, claim.__name__)}
    if key not in papers and key not in known:
        raise OutsideDomain(f"There is no paper or claim `{key}`; {nearest(key, {*papers, *known})}.")
    paper = key if key in papers else find(key)[0].source.paper
    if paper not in papers:
        raise OutsideDomain(f"The paper `{paper}` is not in {PAPERS.name}; add it there.")
    return Citation(papers[paper], tuple(claim.key for claim in claims if claim.source.paper == paper))


def _authors(names: str) -> str:
    surnames = [name.partition(",")[0] for name in names.split(" and ")]
    return " and ".join(filter(None, (", ".join(surnames[:-1]), surnames[-1])))
