"""The workflows on GitHub: their form, what they may do, and how one sets the links."""

import os
import shutil
import subprocess
import tomllib

import pytest
import yaml

from conftest import REPOSITORY, run_python

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))

# Nobody's settings: no signatures, no hooks, and no name except the one that is given.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
ENVIRONMENT |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def test_workflows_follow_the_schema():
    """GitHub's, which comes with `check-jsonschema`."""
    schema = "--builtin-schema", "vendor.github-workflows"
    run_python("-m", "check_jsonschema", *schema, *WORKFLOWS)


def test_no_expression_is_pasted_into_a_command():
    """The shell would run what it contains; a variable is only read."""
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
            for step in job["steps"]:
                assert "${{" not in step.get("run", ""), path.name


def run(*command, folder, **environment):
    """Runs a program, which must succeed: its output and errors."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    options |= {"cwd": folder, "env": ENVIRONMENT | environment}
    done = subprocess.run([str(argument) for argument in command], **options)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path):
    """A bare repository with the links and what sets them, committed or not."""
    if not shutil.which("git") or not shutil.which("make"):
        pytest.skip("there is no `git` or no `make`")
    copy = tmp_path / "copy"
    for name in ".github", "notebooks":
        shutil.copytree(REPOSITORY / name, copy / name)
    for name in "Makefile", "README.md", "pyproject.toml":
        shutil.copy(REPOSITORY / name, copy)
    author = "-c", "user.name=a", "-c", "user.email=a@example.org"
    run("git", "init", "--quiet", "--initial-branch", "main", folder=copy)
    run("git", "add", "--all", folder=copy)
    run("git", *author, "commit", "--quiet", "--message", "all", folder=copy)
    run("git", "clone", "--quiet", "--bare", copy, "origin", folder=tmp_path)
    return tmp_path / "origin"


def clone(origin):
    """A fresh clone, of the newest commit only, as `actions/checkout` makes it."""
    folder = origin.with_name("clone")
    shutil.rmtree(folder, ignore_errors=True)
    options = "--quiet", "--depth", "1", "--branch", "main"
    run("git", "clone", *options, f"file://{origin}", folder, folder=origin.parent)
    return folder


def set_links(origin, name):
    """What the job that sets the links prints in a repository of this name."""
    command = "sh", ".github/set_links.sh"
    return run(*command, folder=clone(origin), GITHUB_REPOSITORY=name)


def newest(origin, form):
    """The newest commit of main, in a form that `git log` knows."""
    return run("git", "log", "-1", f"--format={form}", "main", folder=origin)


def named(folder):
    """The repository that pyproject.toml names: owner/name."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    return project["urls"]["Repository"].removeprefix("https://github.com/")


def test_the_links_become_those_of_a_fork_and_of_its_fork(origin):
    former = named(REPOSITORY)
    for name in "Some.One/their-course", "another/Their_Course.2":
        before = newest(origin, "%H")
        set_links(origin, name)
        folder = clone(origin)
        assert named(folder) == name
        for path in [folder / "README.md", *folder.rglob("*.ipynb")]:
            text = path.read_text("utf-8")
            assert f"/{name}" in text, path
            assert f"/{former}" not in text, path
        assert newest(origin, "%P %an") == f"{before} github-actions[bot]"
        after = newest(origin, "%H")
        set_links(origin, name)
        assert newest(origin, "%H") == after
        former = name


def test_a_refused_push_says_what_to_do(origin):
    hook = origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    before = newest(origin, "%H")
    printed = set_links(origin, "Some.One/their-course")
    assert (
        "::warning::The push of the new links was refused: run `make colab "
        "REPOSITORY=Some.One/their-course` and commit what it changes to main."
    ) in printed
    assert newest(origin, "%H") == before
