"""Code that the benchmarks share: workers that take turns, tables, pictures."""

import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

FOLDER = pathlib.Path(__file__).resolve().parent
REPOSITORY = FOLDER.parent
ROUNDS = 5


def machine():
    """Processor, cores, memory, system and Python, in one sentence."""
    model = platform.machine()
    information = pathlib.Path("/proc/cpuinfo")
    if information.exists():
        text = information.read_text()
        model = re.search(r"model name\s*: (.*)", text)[1]
        model += " (AVX-512)" if "avx512f" in text else " (AVX2)"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def versions(*packages):
    """The installed versions of some packages, in one line."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def run_series(numbers, settings, folder, appendix=False, **options):
    """Runs notebooks, and the appendix if wanted, with the profile `sample` and these
    settings; results and executed notebooks go into `folder`/sample. Options are those of
    `subprocess.run`."""
    command = [sys.executable, "scripts/series.py", "sample", json.dumps(settings)]
    command.append(f"{folder}/sample")
    for number in numbers:
        command += sorted((REPOSITORY / "notebooks").glob(f"0{number}_*.ipynb"))
    if appendix:
        command += sorted((REPOSITORY / "notebooks").glob("appendix_*.ipynb"))
    subprocess.run(command, cwd=REPOSITORY, check=True, **options)


class Worker:
    """A process that makes one measurement on request, and otherwise waits.

    Separate processes, because the backend can be chosen only once in each, and so that the
    threads of one library do not disturb another.

    Args:
        script: string, the file to run; it calls `serve`.
        name: string, what to measure.
        backend: string, its KERAS_BACKEND.
    """

    def __init__(self, script, name, backend="jax"):
        self.process = subprocess.Popen(
            [sys.executable, script, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def ask(self):
        """Makes one measurement: the dict that the worker's function returns."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"A worker stopped: run {self.process.args[1:]} by itself.")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(measure):
    """In a worker: replies to each line of input with the result of `measure()`."""
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


def take_turns(workers):
    """Makes `ROUNDS` measurements with each worker, in turn.

    Args:
        workers: dict of a name to a `Worker`.

    Returns:
        For each name, in the same order, a DataFrame with a row for each round.
    """
    answers = {name: [] for name in workers}
    for worker in workers.values():
        worker.ask()  # warms up
    for _ in range(ROUNDS):
        for name, worker in workers.items():
            answers[name].append(worker.ask())
            print(".", end="", flush=True)
    print()
    for worker in workers.values():
        worker.close()
    return {name: pd.DataFrame(rows) for name, rows in answers.items()}


def guide_masking(profile, vocabulary):
    """The Keras guide's pipeline, which tokenises, pads and masks lines in every epoch.

    Args:
        profile: a `Profile`.
        vocabulary: list of strings.

    Returns:
        A function for `tf.data`, from strings, `(batch,)`, to features, labels and weights
        of the masked words.
    """
    import keras_hub

    from helpers import normalization

    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(
        vocabulary=vocabulary,
        sequence_length=profile.sequence_length,
        lowercase=True,
        strip_accents=True,
    )
    masker = keras_hub.layers.MaskedLMMaskGenerator(
        vocabulary_size=len(vocabulary),
        mask_selection_rate=profile.mask_rate,
        mask_selection_length=profile.predictions_per_sequence,
        mask_token_id=normalization.MASK,
    )

    def mask(lines):
        outputs = masker(tokenizer(lines))
        features = {name: outputs[name] for name in ("token_ids", "mask_positions")}
        return features, outputs["mask_ids"], outputs["mask_weights"]

    return mask


def spread(values, digits=0):
    """The median of measurements, with their range."""
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def draw_medians(answers, column, name):
    """Draws the medians of a column of what `take_turns` returns, with the ranges."""
    figure, axis = plt.subplots(figsize=(7.5, 2.6), layout="constrained")
    values = pd.DataFrame({worker: rows[column] for worker, rows in answers.items()})
    middle = values.median()
    ends = [middle - values.min(), values.max() - middle]
    axis.barh(middle.index, middle, xerr=ends, color="#0072B2", capsize=3)
    axis.invert_yaxis()
    axis.set_xlabel(f"{column}: median of five, with their range")
    figure.savefig(FOLDER / f"{name}.png", dpi=110)


def report(name, title, rows, note, *packages):
    """Prints a table as Markdown, and writes it to a file beside the script.

    Args:
        name: string, the benchmark.
        title: string, a heading.
        rows: a dict of dicts, the table's rows by name.
        note: string, a paragraph below the table.
        packages: strings, whose versions are told.
    """
    table = pd.DataFrame(rows).T.to_markdown(floatfmt=",.1f")
    last = f"{versions(*packages)}; {machine()}; {time.strftime('%Y-%m-%d')}."
    text = f"### {title}\n\n{table}\n\n{note}\n\n{last}\n"
    print(text)
    (FOLDER / f"{name}.md").write_text(text, "utf-8")


def replace_table(heading, table, **options):
    """Replaces the first table below a heading of README.md by a DataFrame. Options are
    those of `to_markdown`, by which cells are otherwise shown as they are."""
    text = table.to_markdown(index=False, **(options or {"disable_numparse": True}))
    page = FOLDER / "README.md"
    before = rf"(## {re.escape(heading)}\n(?:[^|\n].*\n|\n)*)(?:\|.*\n)+"
    content = page.read_text("utf-8")
    content, count = re.subn(before, lambda old: f"{old[1]}{text}\n", content)
    assert count == 1, heading
    page.write_text(content, "utf-8")
