"""What the notebooks need in Google Colab, and the address that they are installed from."""

import argparse
import os
import pathlib
import re
import sys
import tomllib

ON_DRIVE = "/content/drive/MyDrive/pretraining-tutorial"

_CHECKOUT = pathlib.Path(__file__).resolve().parents[1]


class ColabError(RuntimeError):
    """Something that only works in Colab."""


def keep_on_drive(wanted):
    """Keeps the artifacts on Google Drive, where they outlast Colab's machine.

    Args:
        wanted: bool; False does nothing.

    Raises:
        ColabError: this isn't Colab.
    """
    if not wanted:
        return
    try:
        from google.colab import drive
    except ImportError as error:
        raise ColabError(
            "DRIVE is True, and Google Drive can be reached from Colab only: set it to "
            "False; TUTORIAL_ARTIFACTS in the environment names another folder."
        ) from error
    drive.mount("/content/drive")
    os.environ["TUTORIAL_ARTIFACTS"] = ON_DRIVE


def repository():
    """The repository on GitHub, as owner/name, which pyproject.toml says."""
    project = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    return project["urls"]["Repository"].removeprefix("https://github.com/")


def stamp(name):
    """Puts a repository's name into pyproject.toml, README.md and the notebooks.

    Args:
        name: string, owner/name on GitHub.

    Raises:
        ValueError: it isn't one.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(
            f"`{name}` names no repository: give its owner and name, as in a/b."
        )
    old = repository()
    paths = [_CHECKOUT / "pyproject.toml", _CHECKOUT / "README.md"]
    for path in [*paths, *_CHECKOUT.glob("notebooks/**/*.ipynb")]:
        text = path.read_text("utf-8")
        for address in "https://github.com/", "https://colab.research.google.com/github/":
            text = re.sub(rf"{re.escape(address + old)}(?![\w.-])", address + name, text)
        path.write_text(text, "utf-8")


def main(arguments=None):
    """The command line of `make colab`. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.colab", description=stamp.__doc__
    )
    parser.add_argument("repository", help="owner/name on GitHub")
    try:
        stamp(parser.parse_args(arguments).repository)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
