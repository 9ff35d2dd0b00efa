import io

import pytest
from rich.console import Console

from solvable.report import claim_table, verdict_table

ROW = {
    "paper": "toy2020", "claim": "Decay", "error": 0.01234, "tolerance": 0.02, "verdict": "holds",
    "expected": "holds", "seconds": 1.26, "reason": "",
}  # fmt: skip


def printed(table):
    file = io.StringIO()
    Console(file=file, width=160).print(table)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ["toy2020/Decay", "0.0123", "0.02", "holds", "1.3"]),
        ({"verdict": "fails"}, ["fails "]),
        ({"verdict": "fails", "expected": "fails"}, ["fails, as expected"]),
        ({"verdict": "fails", "error": None, "reason": "stopped [at] 7\nlong"}, ["none", "fails: stopped [at] 7 "]),
    ],
)
def test_a_verdict_is_one_line(change, words):
    text = printed(verdict_table([ROW | change]))
    assert all(word in text for word in words)
    assert len(text.strip("\n").splitlines()) == 3
    assert ("as expected" in text) == ("fails, as expected" in words)


def test_a_claim_is_one_line_and_its_words_are_not_markup():
    row = {
        "area": "toys",
        "paper": "toy2020",
        "claim": "Decay",
        "source": "Eq. [1]",
        "expected": "holds",
        "says": "[b]x.",
    }
    text = printed(claim_table([row]))
    assert "Eq. [1]" in text
    assert "[b]x." in text
