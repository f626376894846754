"""The solutions: their stored outputs, and that each check rejects a wrong answer."""

import re

import nbformat
import pytest

from conftest import REPOSITORY, SOLUTIONS, finish, start_python

# What `pytest --nbval notebooks --full` leaves.
ARTIFACTS = REPOSITORY / "artifacts" / "tested"

# In the temporary folder, where the repository's conftest.py doesn't apply: it would choose
# other artifacts.
CONFTEST = f"""\
import importlib.util

path = {str(REPOSITORY / "conftest.py")!r}
spec = importlib.util.spec_from_file_location("of_repository", path)
of_repository = importlib.util.module_from_spec(spec)
spec.loader.exec_module(of_repository)


def pytest_collection_modifyitems(items):
    for item in items:
        if "trained" in item.cell.metadata.get("tags", []):
            of_repository.hide_figures(item)
"""


def refusal(wrong, check):
    """The source of a cell in which the check must reject the wrong answer."""
    return f"""\
names = dict(globals())  # a copy: the cells below go on with the right answer
exec({wrong!r}, names)
try:
    exec({check!r}, names)
except AssertionError as refused:
    assert str(refused), "the check gives no reason"
else:
    raise ValueError("the check passes a wrong answer")"""


def with_wrong_answers(path):
    """The notebook, with a test of a wrong answer below each check."""
    notebook = nbformat.read(path, as_version=4)
    text = (REPOSITORY / "tests" / "wrong_answers" / f"{path.stem}.py").read_text("utf-8")
    wrong = re.split(r"^# %% \d: .+$", text, flags=re.MULTILINE)[1:]
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if "check" in cell.metadata.get("tags", []):
            source = refusal(wrong.pop(0), cell.source)
            metadata = {"tags": ["nbval-ignore-output"]}
            cells.append(nbformat.v4.new_code_cell(source, metadata=metadata))
    assert not wrong, "each exercise has one wrong answer"
    notebook.cells = cells
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_outputs_are_those_stored_and_checks_refuse_wrong_answers(path, tmp_path):
    left = ARTIFACTS / "sample" / "07_scaling_out.json"
    assert left.exists(), "run `pytest --nbval notebooks --full` first"
    nbformat.write(with_wrong_answers(path), tmp_path / path.name)
    (tmp_path / "conftest.py").write_text(CONFTEST, "utf-8")
    (tmp_path / "pytest.ini").touch()  # so that the repository's options don't apply
    sanitize = f"--nbval-sanitize-with={REPOSITORY / 'tests' / 'nbval_sanitize.cfg'}"
    options = ["--nbval-current-env", sanitize, "--nbval-cell-timeout=1800"]
    options += ["-c", "pytest.ini", "-p", "no:cacheprovider", path.name]
    environment = {"TUTORIAL_ARTIFACTS": str(ARTIFACTS), "TUTORIAL_FINDINGS": "raise"}
    process = start_python(
        "-m", "pytest", "--nbval", *options, folder=tmp_path, **environment
    )
    finish(process, seconds=3600)
