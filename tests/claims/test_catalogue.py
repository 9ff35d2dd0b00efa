import unicodedata

import pytest

from solvable.claims import all_claims, find, read_bibliography
from solvable.claims import cite as cite_paper
from solvable.claims.bibliography import PAPERS
from solvable.claims.catalogue import comments, describe
from solvable.errors import OutsideDomain


def test_claims_are_found_in_order(toys):
    found = [claim for claim in all_claims() if claim.area == "toys"]
    assert found == [toys.Decay, toys.DecayAsPrinted, toys.Order, toys.Explodes]
    assert [claim.area for claim in all_claims()] == sorted(claim.area for claim in all_claims())


def test_the_toys_are_no_part_of_the_catalogue():
    assert all(claim.area != "toys" for claim in all_claims())


def test_keys_name_one_claim_or_all_of_a_paper(toys):
    assert find("toy2020/Decay") == find("Decay") == (toys.Decay,)
    assert find("toy2020") == (toys.Decay, toys.DecayAsPrinted, toys.Order, toys.Explodes)


@pytest.mark.parametrize(
    ("key", "near"), [("Decai", "Decay"), ("toy2020/decay", "toy2020/Decay"), ("toy202", "toy2020")]
)
def test_an_unknown_key_is_answered_with_the_nearest(toys, key, near):
    with pytest.raises(OutsideDomain, match=f"no claim or paper `{key}`; the nearest are: .*{near}"):
        find(key)


def test_a_key_like_nothing_is_answered_with_where_to_look(toys):
    for key in ("", "%%%%"):
        with pytest.raises(OutsideDomain, match="`solvable list` shows"):
            find(key)


def test_a_name_that_two_papers_use_is_refused(toys, monkeypatch):
    class Decay(toys.Order):
        """A mode decays in another paper too."""

        source = toys.Source("other2021", "Eq. 1", "law")

    assert Decay.of({"rates": [1.0]}).rates == (1.0,)
    monkeypatch.setattr("solvable.claims.catalogue.all_claims", lambda: (toys.Decay, Decay))
    with pytest.raises(OutsideDomain, match="toy2020/Decay, other2021/Decay"):
        find("Decay")


def test_description_has_the_public_fields(toys):
    row = describe(toys.Decay)
    assert list(row) == ["paper", "claim", "area", "says", "source", "kind", "expected", "parameters"]
    assert row["parameters"]["rates"] == (1.0, 0.5)
    assert row["source"] == "Eq. 1"


def test_comments_beside_parameters_are_kept(toys):
    assert comments(toys.Decay) == {"rates": "of each mode, r > 0", "records": "entries along time"}


def test_every_paper_has_a_citation_with_author_year_and_place():
    for key, paper in read_bibliography().items():
        assert paper.fields["year"] in paper.citation
        plain = unicodedata.normalize("NFKD", paper.citation).encode("ascii", "ignore").decode()
        assert key.rstrip("0123456789abcd").lower() in plain.lower().replace("-", "")
        assert not set("{}\\") & set(paper.citation)
        assert paper.bibtex.startswith("@")
        assert key in ("zhang2026", "fukumizu1998") or paper.link.startswith("https://")  # those two have none
    text = PAPERS.read_text(encoding="utf-8")
    assert "\n\n".join(paper.bibtex for paper in read_bibliography().values()) == text.strip()


def test_citation_of_a_known_paper():
    assert read_bibliography()["baldi1989"].citation == (
        "Baldi and Hornik (1989). Neural networks and principal component analysis: Learning from examples without "
        "local minima. Neural Networks 2, 53-58. https://doi.org/10.1016/0893-6080(89)90014-2"
    )


@pytest.mark.parametrize(
    "text", ["@article{a, title={x}}", "@article{a,\n  title = {x},\n}\n", "@article{a,\n  author = {x}"]
)
def test_an_irregular_entry_is_refused_by_name(tmp_path, text):
    file = tmp_path / "papers.bib"
    file.write_text(text)
    with pytest.raises(OutsideDomain, match=r"`papers.bib` cannot be read at a"):
        read_bibliography(file)


def test_cite_says_what_rests_on_a_paper(toys, monkeypatch):
    paper = read_bibliography()["saxe2014"]
    monkeypatch.setattr("solvable.claims.bibliography.read_bibliography", lambda: {"toy2020": paper})
    assert cite_paper("toy2020").claims == tuple(claim.key for claim in find("toy2020"))
    assert cite_paper("Order") == cite_paper("toy2020/Decay") == cite_paper("toy2020")
    assert paper.bibtex in str(cite_paper("toy2020"))
    with pytest.raises(OutsideDomain, match="nearest are: toy2020"):
        cite_paper("toy2021")


def test_cite_refuses_a_claim_whose_paper_is_not_listed(toys):
    with pytest.raises(OutsideDomain, match=r"not in papers.bib"):
        cite_paper("toy2020/Order")
