"""Masked batches of 128x128 a second: ours, the Keras guide's, and Hugging Face's.

    python benchmarks/input_pipeline.py

All three read the same reviews. Ours cuts stored tokens into rows; the guide's reads lines,
and tokenises and pads them in every epoch; Hugging Face's stores tokens in Arrow, and masks
with `DataCollatorForLanguageModeling`, in this process and in two workers.
"""

import itertools
import os
import pathlib
import resource
import sys
import tempfile
import time

import common
import matplotlib.pyplot as plt
import pandas as pd

SECONDS = 5  # of a measurement
SIZE = {"sequence_length": 128, "batch_size": 128, "mask_rate": 0.25}
OURS, GUIDE = "ours", "as in the guide"
HERE, WORKERS = "datasets, collator", "datasets, collator in 2 workers"


def prepare():
    """The profile, the texts and their vocabulary."""
    import helpers

    helpers.choose_backend("jax")
    from helpers import corpora, profiles, wordpieces

    profile = profiles.load_profile(**SIZE)
    texts = list(corpora.read_corpus(profile))
    return profile, texts, wordpieces.learn_vocabulary(texts, profile)


def endless(make):
    """The batches of `make()`, repeated endlessly."""
    while True:
        yield from make()


def ours():
    from helpers import masking, packing

    profile, texts, vocabulary = prepare()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "rows.bin")
        packing.store_rows(texts, vocabulary, profile, path)
        # A memory-mapped file stays readable after it is deleted.
        rows, *_ = packing.open_rows(profile, path)
    del texts
    batches = masking.MaskedBatches(rows, profile, steps=1)  # it has any number
    return (batches[number] for number in itertools.count()), 0.0


def guide():
    import tensorflow as tf

    profile, texts, vocabulary = prepare()
    path = common.FOLDER / "lines.txt"
    path.write_text("\n".join(text.replace("\n", " ") for text in texts), "utf-8")
    del texts
    batches = (
        tf.data.TextLineDataset(str(path))
        .filter(lambda line: tf.strings.length(line) > 100)
        .batch(profile.batch_size, drop_remainder=True)
        .map(
            common.guide_masking(profile, vocabulary),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
    )
    empty = [float((f["token_ids"].numpy() == 0).mean()) for f, *_ in batches.take(50)]
    return endless(lambda: batches), sum(empty) / len(empty)


def hugging_face(workers):
    import datasets
    from torch.utils.data import DataLoader
    from transformers import BertTokenizerFast, DataCollatorForLanguageModeling

    profile, texts, vocabulary = prepare()
    path = common.FOLDER / "vocabulary.txt"
    path.write_text("\n".join(vocabulary), "utf-8")
    tokenizer = BertTokenizerFast(str(path))
    datasets.disable_progress_bars()

    def encode(part):
        encoded = tokenizer(
            part["text"],
            truncation=True,
            padding="max_length",
            max_length=profile.sequence_length,
            return_special_tokens_mask=True,
        )
        return {
            key: encoded[key]
            for key in ("input_ids", "attention_mask", "special_tokens_mask")
        }

    stored = datasets.Dataset.from_dict({"text": texts}).map(
        encode, batched=True, remove_columns=["text"]
    )
    del texts
    loader = DataLoader(
        stored,
        profile.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        collate_fn=DataCollatorForLanguageModeling(
            tokenizer, mlm_probability=profile.mask_rate
        ),
    )
    batch = next(iter(loader))
    return endless(lambda: loader), 1 - float(batch["attention_mask"].float().mean())


def serve(batches, padding):
    """Measures batches a second on request."""
    next(batches)

    def measure():
        count, before = 0, time.perf_counter()
        while time.perf_counter() - before < SECONDS:
            next(batches)
            count += 1
        seconds = time.perf_counter() - before
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return {"batches/s": count / seconds, "padding": 100 * padding, "GiB": memory}

    common.serve(measure)


def main():
    names = OURS, GUIDE, HERE, WORKERS
    workers = {name: common.Worker(__file__, name) for name in names}
    answers = common.take_turns(workers)
    for name in "lines.txt", "vocabulary.txt":
        (common.FOLDER / name).unlink(missing_ok=True)
    guides = answers[answers.name == GUIDE].set_index("round")["batches/s"]
    rows = {}
    for name, one in answers.groupby("name", sort=False):
        one = one.set_index("round")
        rows[name] = {
            "batches/s": common.spread(one["batches/s"]),
            "times the guide's": common.spread(one["batches/s"] / guides, 1),
            "padding (%)": f"{one.padding.iloc[0]:.1f}",
            "memory (GiB)": f"{one.GiB.max():.1f}",
        }
    table = pd.DataFrame(rows).T
    table.index.name = "input"
    figure, axis = plt.subplots(figsize=(7.5, 2.4), layout="constrained")
    middle = answers.groupby("name", sort=False)["batches/s"].median()
    axis.barh(middle.index, middle, color="#0072B2")
    axis.invert_yaxis()
    axis.set_xlabel("batches of 128x128 a second: median of five")
    figure.savefig(common.FOLDER / "input_pipeline.png", dpi=110)
    common.report(
        "input_pipeline",
        "Input",
        table,
        "Medians of five rounds in turn, with their range; memory is the most that a "
        "process held, including the text.",
        "",
        common.versions(
            "keras", "keras-hub", "tensorflow", "torch", "transformers", "datasets"
        ),
    )


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    make = {
        OURS: ours,
        GUIDE: guide,
        HERE: lambda: hugging_face(0),
        WORKERS: lambda: hugging_face(2),
    }
    if len(sys.argv) == 1:
        main()
    else:
        serve(*make[sys.argv[1]]())
