"""Each setting at a small, an odd and a huge value: what notebooks 2 to 5 do works, or an
error names the setting."""

import dataclasses
import re

import numpy as np
import pytest

from helpers import finetuning, masking, models, packing, pretraining, tasks, wordpieces

pytestmark = pytest.mark.slow

# Small, odd and huge values of the settings that are numbers or numbers in a list.
VALUES = {
    "seed": (1, 4_000_000_000, 2**40),
    "vocabulary_size": (6, 151, 1501, 10**9),
    "sequence_length": (8, 33, 512, 10**7),
    "mask_rate": (1e-6, 0.333, 1.0),
    "hidden_dim": (4, 12, 520, 6),
    "num_layers": (1, 3),
    "num_heads": (1, 3, 4),
    "intermediate_dim": (1, 7, 2000),
    "dropout": (0.01, 0.99, 1.0),
    "learning_rate": (0.0, 1e-12, 1e3),
    "embedding_rate": (0.0, 1e3),
    "batch_size": (1, 2, 33, 2048, 10**6),
    "pretraining_steps": (1, 3, 150, 10**9),
    "sentence_lengths": ((1,), (7, 11), (3, 500)),
    "few_labels": (2, 7, 33, 10**6),
    "repeats": (1, 3),
    "finetuning_rate": (0.0, 1e3),
    "scratch_rate": (0.0, 1e3),
    "finetuning_epochs": (1, 3),
}
CASES = [(name, value) for name, values in VALUES.items() for value in values]


def pretrain_and_fine_tune(profile, texts, path):
    """Prepares text, pretrains for a step, evaluates, and fine-tunes with few labels."""
    vocabulary = wordpieces.learn_vocabulary(texts, profile)
    packing.store_rows(texts, vocabulary, profile, path)
    rows, kept, _ = packing.open_rows(profile, path)
    epochs, steps_per_epoch, _ = pretraining.plan(profile.pretraining_steps)
    log_frequencies = packing.log_frequencies(rows, len(vocabulary))
    steps = epochs * steps_per_epoch
    model = pretraining.pretraining_model(profile, steps, log_frequencies)
    loss = model.train_on_batch(*masking.MaskedBatches(rows, profile, 1)[0])
    assert np.isfinite(loss).all()
    steps = len(kept) // profile.batch_size
    validation = masking.MaskedBatches(kept, profile, steps, salt=1)
    assert np.isfinite(model.evaluate(validation, verbose=0)).all()
    few = tasks.draw_few(tasks.read_task(profile).train, profile.few_labels, profile.seed)
    ids = packing.sentence_rows(few.text, vocabulary, profile)
    labels = few.label.to_numpy()
    start = models.build_encoder(profile)
    arguments = profile, ids, labels, profile.seed
    classifier = finetuning.train_classifier(*arguments, epochs=1, start=start)
    assert np.isfinite(models.class_probabilities(classifier, ids)).all()


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_setting_at_its_edges_works_or_is_named(profile, texts, tmp_path, name, value):
    small = dataclasses.replace(profile, few_labels=16, vocabulary_size=300)
    message = f"`{name}`"
    try:
        changed = dataclasses.replace(small, **{name: value})
        pretrain_and_fine_tune(changed, texts[:200], tmp_path / "rows.bin")
    except ValueError as error:
        message = str(error)
    assert re.fullmatch(f".*`{name}`.*", message)  # in one line
