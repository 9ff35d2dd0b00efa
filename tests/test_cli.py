"""The command line as a user meets it: real processes for what a process does, the rest in this one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import solvable
import solvable.claims
from solvable import cli

TOYS = str(Path(__file__).parent / "claims" / "extra_areas")
CLAIM_FIELDS = ["paper", "claim", "area", "says", "source", "kind", "expected", "parameters"]
VERDICT_FIELDS = ["paper", "claim", "effort", "seed", "error", "tolerance", "metric", "verdict", "expected", "seconds"]


@pytest.fixture
def solve(monkeypatch, capsys):
    """Run a command line in this process, the toy claims in its catalogue: status, standard output, standard error."""
    monkeypatch.setattr(solvable.claims, "__path__", [*solvable.claims.__path__, TOYS])

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["solvable", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0, *capsys.readouterr()

    return run


def start(*arguments, before="", after="", **options):
    """Start a command line in a process of its own."""
    code = f"""
import sys, solvable.claims
solvable.claims.__path__.append({TOYS!r})
{before}
from solvable.cli import main
try:
    main()
finally:
    {after or "pass"}
"""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_list_is_the_catalogue(solve):
    status, out, _ = solve("list", "toys", "--json")
    rows = json.loads(out)["claims"]
    assert status == 0
    assert [row["claim"] for row in rows] == ["Decay", "DecayAsPrinted", "Order", "Explodes"]
    assert list(rows[0]) == CLAIM_FIELDS
    status, out, _ = solve("list")
    assert status == 0
    assert "toy2020/DecayAsPrinted" in out


def test_check_judges_and_prints_one_object(solve):
    status, out, err = solve("check", "Decay", "DecayAsPrinted", "--json", "--seed", 2)
    answer = json.loads(out)
    assert (status, answer["ok"]) == (0, True)
    assert [row["verdict"] for row in answer["claims"]] == ["holds", "fails"]
    assert list(answer["claims"][0])[: len(VERDICT_FIELDS)] == VERDICT_FIELDS
    assert answer["claims"][0]["seed"] == 2
    assert err.splitlines()[0].startswith("toy2020/Decay holds: error")


def test_one_verdict_against_expectation_is_status_1(solve):
    status, out, _ = solve("check", "toy2020", "--json")
    assert (status, json.loads(out)["ok"]) == (1, False)
    status, out, _ = solve("check", "Explodes", "Order")
    assert status == 1
    assert "fails: The loss is not finite" in out


def test_settings_reach_the_claim(solve):
    _, out, _ = solve("check", "Decay", "--json", "--set", "rates=[2]", "--set", "name=words", "--set", "records=4")
    parameters = json.loads(out)["claims"][0]["parameters"]
    assert (parameters["rates"], parameters["name"], parameters["records"]) == ([2.0], "words", 4)
    _, out, _ = solve("check", "Decay", "--full", "--json")
    assert json.loads(out)["claims"][0]["parameters"]["records"] == 41


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "toy202"], "nearest are: toy2020"),
        (["check", "Decay", "--set", "stepp=1"], "no parameter `stepp`; the parameters are: rates, step"),
        (["check", "Decay", "--set", "step"], "write --set NAME=VALUE"),
        (["check", "Decay", "--set", "step=quick"], "`step` is 'quick'; it must be a finite number"),
        (["check", "Decay", "--set", "step=0"], "`step` is 0.0"),
        (["check", "Decay", "--set", "rates=[[1]]"], "`rates`"),
        (["check", "Decay", "--seed", "-1"], "`seed` is -1"),
        (["check", "Decay", "--out", "/dev/null"], "no directory"),
        (["list", "flow"], "no area `flow`; the areas are: "),
        (["show", "Decai"], "nearest are: "),
        (["show", "toy2020", "--figure", "a.png"], "names 4 claims"),
        (["show", "Decay", "--figure", "a.gif"], "must end in .png"),
        (["show", "Decay", "--figure", "nowhere/a.png"], "cannot be written"),
        (["cite", "toy2021"], "nearest are: "),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(solve, arguments, sentence):
    status, out, err = solve(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("solvable: ")
    assert sentence in err


@pytest.mark.parametrize("arguments", [["chekc"], ["check", "--sed", "1"], ["check", "--seed", "x"], ["show"]])
def test_misspelt_usage_is_status_2(solve, arguments):
    status, out, err = solve(*arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_out_keeps_evidence_once(solve, tmp_path):
    status, _, _ = solve("check", "Order", "--out", tmp_path)
    assert (status, len(list((tmp_path / "toys/toy2020/Order").iterdir()))) == (0, 3)
    status, _, err = solve("check", "Order", "--out", tmp_path)
    assert (status, "--overwrite" in err) == (2, True)
    status, _, _ = solve("check", "Order", "--out", tmp_path, "--overwrite")
    assert status == 0


def test_show_says_everything_and_draws(solve, monkeypatch, tmp_path):
    papers = {"toy2020": solvable.claims.read_bibliography()["saxe2014"]}
    monkeypatch.setattr("solvable.claims.bibliography.read_bibliography", lambda: papers)
    figure = tmp_path / "figure.pdf"
    status, out, _ = solve("show", "toy2020/Decay", "--figure", figure)
    assert status == 0
    for words in (
        "decays as",
        "Eq. 1, exact: Saxe",
        "records = 11  # entries along time",
        "--full: records=41",
        "0.02",
    ):
        assert words in out
    assert "DIR/toys/toy2020/Decay/figure.png" in out
    assert [path.name for path in tmp_path.iterdir()] == ["figure.pdf"]
    status, out, _ = solve("show", "DecayAsPrinted")
    assert "fails, because a factor of two" in out
    status, out, _ = solve("cite", "Order")
    assert "Rests on it: toy2020/Decay" in out
    assert "@inproceedings{saxe2014," in out


def test_version(solve):
    assert solve("--version")[:2] == (0, f"solvable {solvable.__version__}\n")


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["cite", "zhang2026"], ["--help"]])
def test_looking_things_up_imports_no_array_library(arguments):
    heavy = "('jax', 'xarray', 'scipy', 'pandas', 'matplotlib', 'equinox')"
    report = f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    process = start(*arguments, after=report)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "[]\n")
    assert out


def test_an_interrupt_is_one_line_status_130_and_no_files(tmp_path):
    slow = "import solvable.claims.toys.toy2020 as t, time; t.Order.measure = lambda self, key: time.sleep(60)"
    process = start("check", "Decay", "Order", "--json", "--out", tmp_path, before=slow)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("toy2020/Decay holds")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "solvable: interrupted.\n")
    assert [path.name for path in (tmp_path / "toys" / "toy2020").iterdir()] == ["Decay"]


def test_an_interrupt_that_is_lost_in_a_finaliser_comes_again():
    lost = """
import os, signal, time
from solvable import cli
class Late:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
def app(**_):
    Late()
    time.sleep(60)
cli.app = app
cli.main()
"""
    run = subprocess.run([sys.executable, "-c", lost], capture_output=True, text=True, timeout=50)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "solvable: interrupted.\n")


def test_a_reader_that_leaves_is_no_error():
    process = start("list", "--json", before="import time; time.sleep(0.5)")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode in (0, 1)


def test_a_terminal_gets_a_live_line_on_standard_error_only():
    process = start("check", "Order", "--json", env=os.environ | {"TTY_COMPATIBLE": "1", "TERM": "xterm"})
    out, err = process.communicate(timeout=60)
    assert json.loads(out)["ok"]
    assert "\x1b[" in err
    assert "toy2020/Order holds" in err
