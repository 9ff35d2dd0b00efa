"""The README is true: its catalogue is up to date and its commands are the ones that CI runs."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_catalogue_lists_every_claim():
    assert load_script("update_readme").with_catalogue(README) == README, "run python docs/update_readme.py"


def test_ci_runs_the_test_command_of_the_readme():
    command = "pip install -e '.[test]' && pytest"
    assert command in README
    assert "'.[test]' && pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_files_that_the_readme_links_to_exist():
    for name in ("CONTRIBUTING.md", "benchmarks/README.md", "docs/images/forecast.png"):
        assert name in README
        assert (ROOT / name).is_file()
