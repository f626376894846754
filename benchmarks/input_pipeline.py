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

SECONDS = 5  # of a measurement
SIZE = {"sequence_length": 128, "batch_size": 128, "mask_rate": 0.25}
OURS, GUIDE = "ours", "as in the guide"
HERE, WORKERS = "datasets, collator", "datasets, collator in 2 workers"
NOTE = """\
Medians of five rounds in turn, with their range; memory is the most that a process held,
including the text."""


def prepare():
    """The profile, the texts and their vocabulary."""
    import helpers

    helpers.choose_backend("jax")
    from helpers import corpora, profiles, wordpieces

    profile = profiles.load_profile(**SIZE)
    texts = list(corpora.read_corpus(profile))
    return profile, texts, wordpieces.learn_vocabulary(texts, profile)


def ours():
    """Yields batches; the first item is the share of padding."""
    from helpers import masking, packing

    profile, texts, vocabulary = prepare()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "rows.bin")
        packing.store_rows(texts, vocabulary, profile, path)
        # A memory-mapped file stays readable after it is deleted.
        rows, *_ = packing.open_rows(profile, path)
    del texts
    batches = masking.MaskedBatches(rows, profile, steps=1)  # it has any number
    yield 0.0
    for number in itertools.count():
        yield batches[number]


def guide():
    """As `ours`."""
    import tensorflow as tf

    profile, texts, vocabulary = prepare()
    path = common.FOLDER / "lines.txt"
    path.write_text("\n".join(text.replace("\n", " ") for text in texts), "utf-8")
    del texts
    lines = tf.data.TextLineDataset(str(path))
    lines = lines.filter(lambda line: tf.strings.length(line) > 100)
    lines = lines.batch(profile.batch_size, drop_remainder=True)
    mask = common.guide_masking(profile, vocabulary)
    batches = lines.map(mask, num_parallel_calls=tf.data.AUTOTUNE)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    padding = []
    for features, *_ in batches.take(50):
        padding.append(float((features["token_ids"].numpy() == 0).mean()))
    yield sum(padding) / len(padding)
    while True:
        yield from batches


def hugging_face(workers):
    """As `ours`."""
    import datasets
    from torch.utils.data import DataLoader
    from transformers import BertTokenizerFast, DataCollatorForLanguageModeling

    profile, texts, vocabulary = prepare()
    path = common.FOLDER / "vocabulary.txt"
    path.write_text("\n".join(vocabulary), "utf-8")
    tokenizer = BertTokenizerFast(str(path))
    datasets.disable_progress_bars()
    options = {
        "truncation": True,
        "padding": "max_length",
        "max_length": profile.sequence_length,
        "return_special_tokens_mask": True,
    }

    def encode(part):
        encoded = tokenizer(part["text"], **options)
        names = "input_ids", "attention_mask", "special_tokens_mask"
        return {name: encoded[name] for name in names}

    stored = datasets.Dataset.from_dict({"text": texts})
    stored = stored.map(encode, batched=True, remove_columns=["text"])
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
    yield 1 - float(batch["attention_mask"].float().mean())
    while True:
        yield from loader


def serve(batches):
    """Measures batches a second on request."""
    padding = next(batches)
    next(batches)

    def measure():
        count = 0
        before = time.perf_counter()
        while time.perf_counter() - before < SECONDS:
            next(batches)
            count += 1
        seconds = time.perf_counter() - before
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return {"batches/s": count / seconds, "padding": 100 * padding, "GiB": memory}

    common.serve(measure)


def main():
    workers = {}
    for name in OURS, GUIDE, HERE, WORKERS:
        workers[name] = common.Worker(__file__, name)
    answers = common.take_turns(workers)
    for name in "lines.txt", "vocabulary.txt":
        (common.FOLDER / name).unlink(missing_ok=True)
    rows = {}
    for name, answer in answers.items():
        times = answer["batches/s"] / answers[GUIDE]["batches/s"]
        rows[name] = {
            "batches/s": common.spread(answer["batches/s"]),
            "times the guide's": common.spread(times, 1),
            "padding (%)": f"{answer.padding[0]:.1f}",
            "memory (GiB)": f"{answer.GiB.max():.1f}",
        }
    common.draw_medians(answers, "batches/s", "input_pipeline")
    packages = "keras", "keras-hub", "tensorflow", "torch", "transformers", "datasets"
    common.report("input_pipeline", "Input", rows, NOTE, *packages)


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == OURS:
        serve(ours())
    elif sys.argv[1] == GUIDE:
        serve(guide())
    else:
        serve(hugging_face(workers=2 if sys.argv[1] == WORKERS else 0))
