"""Fine-tuning: batches of similar length, the head, and training a classifier."""

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from helpers import models, pretraining

FINETUNING_BATCH_SIZE = 32
FINETUNING_DROPOUT = 0.1

# Epochs with few labels, from scratch; chosen on training sentences.
SCRATCH_FEW_EPOCHS = 10

# The inverse penalty of the regression that initialises a head. It matters most with few
# labels, so it was chosen at 250 to 1,000 (benchmarks/README.md).
HEAD_STRENGTH = 0.01


def finetuning_batch_size(sentences):
    """The sentences in a batch: as many as there are, up to `FINETUNING_BATCH_SIZE`, but
    the same number for each device (`sentence_batches` may take a sentence twice)."""
    distribution = keras.distribution.distribution()
    devices = distribution.device_mesh.devices.size if distribution else 1
    return max(devices, min(FINETUNING_BATCH_SIZE, sentences) // devices * devices)


def sentence_batches(token_ids, labels, lengths, batch_size, seed):
    """Endless `tf.data` batches of sentences of similar length, reshuffled in every epoch.

    Rows are cut to the smallest of `lengths` that fits all sentences of the batch.

    Args:
        token_ids: int array, `(sentences, length)`, padded.
        labels: int array, `(sentences,)`.
        lengths: tuple of increasing int, the last of them the length of a row.
        batch_size: int, sentences in every batch.
        seed: int, determines the order.
    """
    sentences = tf.data.Dataset.from_tensor_slices((token_ids, labels))
    # Repeated before batching, so that no sentences are dropped.
    sentences = sentences.shuffle(len(labels), seed=seed).repeat()
    cut = sentences.map(lambda ids, label: (ids[: tf.math.count_nonzero(ids)], label))
    return cut.bucket_by_sequence_length(
        lambda ids, label: tf.size(ids),
        bucket_boundaries=[length + 1 for length in lengths],  # the first that is too long
        bucket_batch_sizes=[batch_size] * (len(lengths) + 1),
        pad_to_bucket_boundary=True,
        drop_remainder=True,
    )


def start_head(classifier, token_ids, labels):
    """Initialises a classifier's head with a logistic regression.

    Linear probing, then fine-tuning (Kumar et al., 2022, https://arxiv.org/abs/2202.10054).
    """
    head = classifier.get_layer("head")
    vectors = models.predict(keras.Model(classifier.input, head.input), token_ids)
    regression = LogisticRegression(C=HEAD_STRENGTH, max_iter=1000).fit(vectors, labels)
    weights = regression.coef_
    bias = regression.intercept_
    if len(weights) == 1:
        # For two classes scikit-learn only scores the second, against the first.
        weights, bias = np.vstack([0 * weights, weights]), np.append(0, bias)
    head.set_weights([weights.T, bias])


def train_classifier(
    profile, token_ids, labels, seed, epochs, start=None, head_first=True, **options
):
    """Trains a classifier, from a pretrained encoder or from scratch.

    Both have the same layers, batches and order; each has its own learning rate.

    Args:
        profile: a `Profile`.
        token_ids: int array, `(sentences, length)`.
        labels: int array, `(sentences,)`, with every class at least once.
        seed: int, determines initial weights, dropout and order.
        epochs: int.
        start: the pretrained encoder, or None to train from scratch.
        head_first: bool, whether the head starts from a regression or from random weights.
        **options: `pool`, as in `models.build_classifier`.
    """
    keras.utils.set_random_seed(seed)
    encoder = models.build_encoder(profile, FINETUNING_DROPOUT)
    peak = profile.scratch_rate
    if start is not None:
        encoder.set_weights(start.get_weights())
        peak = profile.finetuning_rate
    num_classes = int(labels.max()) + 1
    model = models.build_classifier(encoder, num_classes, FINETUNING_DROPOUT, **options)
    if head_first:
        start_head(model, token_ids, labels)
    batch_size = finetuning_batch_size(len(labels))
    steps = max(1, len(labels) // batch_size)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(pretraining.adamw(peak, epochs * steps), loss, metrics=["accuracy"])
    lengths = profile.sentence_lengths
    batches = sentence_batches(token_ids, labels, lengths, batch_size, seed)
    model.fit(
        batches,
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,  # the batches come shuffled
        callbacks=[pretraining.Progress()],
        verbose=0,
    )
    return model
