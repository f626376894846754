"""Fine-tuning: batches of similar length, the head, and training a classifier."""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from sklearn.linear_model import LogisticRegression

from helpers import models, pretraining

FINETUNING_BATCH_SIZE = 32
# Before the head. As much inside the encoder makes no difference (benchmarks/README.md).
FINETUNING_DROPOUT = 0.1

# Epochs with few labels, for an encoder that is pretrained or starts from counts, and from
# scratch: the best of 2, 5 and 10 with 500 labels, on validation sentences.
FEW_EPOCHS = 5
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


@functools.lru_cache(maxsize=1)
def _to_vectors(classifier):
    """The part of a classifier below its head."""
    return keras.Model(classifier.input, classifier.get_layer("head").input)


def start_head(classifier, token_ids, labels):
    """Initialises a classifier's head with a logistic regression.

    Linear probing, then fine-tuning (Kumar et al., 2022, https://arxiv.org/abs/2202.10054).
    """
    vectors = models.predict(_to_vectors(classifier), token_ids)
    regression = LogisticRegression(C=HEAD_STRENGTH, max_iter=1000).fit(vectors, labels)
    weights = regression.coef_
    bias = regression.intercept_
    if len(weights) == 1:
        # For two classes scikit-learn only scores the second, against the first.
        weights = np.vstack([0 * weights, weights])
        bias = np.append(0, bias)
    classifier.get_layer("head").set_weights([weights.T, bias])


def _start_again(compiled, fresh):
    """Gives a compiled model the weights and the seeds of dropout of a fresh one with the
    same layers, and its optimizer no memory of an earlier training."""
    for layer, fresh_layer in zip(compiled.layers, fresh.layers, strict=True):
        for variable, value in zip(layer.variables, fresh_layer.variables, strict=True):
            variable.assign(value)
    for variable in compiled.optimizer.variables:
        variable.assign(ops.zeros(variable.shape, variable.dtype))


def train_classifier(
    profile,
    token_ids,
    labels,
    seed,
    epochs,
    start=None,
    head_first=True,
    compiled=None,
):
    """Trains a classifier, from a pretrained encoder or a fresh one.

    Both have the same layers, batches and order; each has its own learning rate.

    Args:
        profile: a `Profile`.
        token_ids: int array, `(sentences, length)`.
        labels: int array, `(sentences,)`, with every class at least once.
        seed: int, determines initial weights, dropout and order.
        epochs: int.
        start: the pretrained encoder, or None for fresh weights.
        head_first: bool, whether the head starts from a regression or from random weights.
        compiled: a classifier that this function has returned for another seed, with all
            else the same, and which is no longer needed: it is trained again, with new
            weights, because compiling takes longer than a training with few labels.
    """
    keras.utils.set_random_seed(seed)
    encoder = models.build_encoder(profile)
    peak = profile.scratch_rate
    if start is not None:
        encoder.set_weights(start.get_weights())
        peak = profile.finetuning_rate
    num_classes = int(labels.max()) + 1
    model = models.build_classifier(encoder, num_classes, FINETUNING_DROPOUT)
    batch_size = finetuning_batch_size(len(labels))
    steps = max(1, len(labels) // batch_size)
    if compiled is None:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(pretraining.adamw(peak, epochs * steps), loss, metrics=["accuracy"])
    else:
        _start_again(compiled, model)
        model = compiled
    if head_first:
        start_head(model, token_ids, labels)
    lengths = profile.sentence_lengths
    batches = sentence_batches(token_ids, labels, lengths, batch_size, seed)
    if compiled is not None and keras.backend.backend() != "tensorflow":
        # Keras begins to read the batches once to build a new model, and then anew, when
        # they are shuffled otherwise. This model is built, but is to get the same batches.
        next(iter(batches))
    model.fit(
        batches,
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,  # the batches come shuffled
        callbacks=[pretraining.Progress()],
        verbose=0,
    )
    return model
