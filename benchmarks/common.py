"""Code that the benchmarks share: workers that take turns, the machine, tables."""

import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd

FOLDER = pathlib.Path(__file__).resolve().parent
ROUNDS = 5


def machine():
    """Processor, cores, memory, system and Python, in one sentence."""
    model, memory = platform.machine(), ""
    if pathlib.Path("/proc/cpuinfo").exists():
        information = pathlib.Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*: (.*)", information)[1]
        vector = "AVX-512" if "avx512f" in information else "AVX2"
        kilobytes = re.search(
            r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text()
        )
        memory = f"{int(kilobytes[1]) / 2**20:.0f} GiB, "
        model = f"{model} ({vector})"
    return (
        f"{model}, {os.cpu_count()} cores, {memory}{platform.system()}, "
        f"Python {platform.python_version()}"
    )


def versions(*packages):
    """The installed versions of some packages, in one line."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


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


def take_turns(workers, rounds=ROUNDS):
    """Makes `rounds` measurements with each worker, in turn.

    Args:
        workers: dict of a name to a `Worker`.
        rounds: int.

    Returns:
        A DataFrame with a row for each measurement, and the columns `name` and `round`.
    """
    answers = []
    for worker in workers.values():
        worker.ask()  # warms up
    for number in range(rounds):
        for name, worker in workers.items():
            answers.append({"name": name, "round": number, **worker.ask()})
            print(".", end="", flush=True)
    print()
    for worker in workers.values():
        worker.close()
    return pd.DataFrame(answers)


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
        features = {key: outputs[key] for key in ("token_ids", "mask_positions")}
        labels = {"masked_words": outputs["mask_ids"]}
        return features, labels, {"masked_words": outputs["mask_weights"]}

    return mask


def spread(values, digits=0):
    """The median of measurements, with their range."""
    return (
        f"{np.median(values):,.{digits}f} ({min(values):,.{digits}f} to "
        f"{max(values):,.{digits}f})"
    )


def report(name, title, table, *notes):
    """Prints a table as Markdown, and writes it to a file beside the script.

    Args:
        name: string, the benchmark.
        title: string, a heading.
        table: a DataFrame.
        *notes: strings, lines below the table.
    """
    text = "\n".join(
        [
            f"### {title}",
            "",
            table.to_markdown(floatfmt=",.1f"),
            "",
            *notes,
            "",
            f"{machine()}; {time.strftime('%Y-%m-%d')}.",
            "",
        ]
    )
    print(text)
    (FOLDER / f"{name}.md").write_text(text, "utf-8")


def replace_table(heading, table):
    """Replaces the first table below a heading of README.md by another, in Markdown."""
    page = FOLDER / "README.md"
    before = rf"(## {re.escape(heading)}\n(?:[^|\n].*\n|\n)*)(?:\|.*\n)+"
    text, count = re.subn(before, lambda old: f"{old[1]}{table}\n", page.read_text("utf-8"))
    assert count == 1, heading
    page.write_text(text, "utf-8")
