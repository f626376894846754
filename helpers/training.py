"""What the notebooks that train have in common."""

import keras
import numpy as np
from keras import ops

from helpers import models

WARM_UP = 0.05


def learning_rate(peak, steps, schedule="cosine"):
    """The learning rate of every step.

    A rise over the first 5 % of the steps, then a fall along half a cosine to 2 % of
    the peak (Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983).

    Args:
        peak: float.
        steps: int, steps of the whole training.
        schedule: string, "cosine", or "constant" for the peak throughout.

    Returns:
        A float or a `keras.optimizers.schedules.LearningRateSchedule`.
    """
    if schedule == "constant":
        return peak
    warm_up = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=peak,
        warmup_steps=warm_up,
        decay_steps=max(1, steps - warm_up),
        alpha=0.02,
    )


def pretraining_optimizer(profile, steps):
    """The optimizer that the profile pretrains with.

    Muon (Jordan, 2024, https://kellerjordan.github.io/posts/muon/) makes the update of
    each matrix orthogonal; in Keras it leaves embeddings, norms and biases to Adam.

    Args:
        profile: a `Profile`.
        steps: int, steps of the whole training.

    Returns:
        A `keras.optimizers.Optimizer`.
    """
    rate = learning_rate(profile.learning_rate, steps, profile.schedule)
    if profile.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=profile.weight_decay)
    return keras.optimizers.Muon(
        rate,
        weight_decay=profile.weight_decay,
        adam_weight_decay=profile.weight_decay,
        adam_lr_ratio=profile.embedding_rate,
        global_clipnorm=1.0,
    )


def cross_entropy(labels, logits):
    """Minus the log-probability of the right answer.

    The same as `keras.losses.sparse_categorical_crossentropy`, which on JAX makes a row as
    long as the vocabulary out of each label; with two cores that takes a tenth of a step.

    Args:
        labels: int tensor, `(..., )`.
        logits: float tensor, `(..., classes)`.

    Returns:
        A float tensor, `(..., )`.
    """
    return ops.logsumexp(logits, axis=-1) - _score_of_answer(labels, logits)


def accuracy(labels, logits):
    """1 where the right answer has the highest score, float `(..., )`; else 0."""
    best = ops.max(logits, axis=-1)
    return ops.cast(_score_of_answer(labels, logits) >= best, logits.dtype)


def _score_of_answer(labels, logits):
    labels = ops.expand_dims(ops.cast(labels, "int32"), axis=-1)
    return ops.squeeze(ops.take_along_axis(logits, labels, axis=-1), axis=-1)


def compile_for_pretraining(model, profile, steps):
    """Compiles, as notebook 03 does in the open.

    Args:
        model: a model from `models.build_pretraining_model`.
        profile: a `Profile`.
        steps: int, steps of the whole training.
    """
    weights = {"masked_words": 1.0, "neighbours": profile.neighbour_weight}
    games = list(model.output)
    model.compile(
        optimizer=pretraining_optimizer(profile, steps),
        loss=dict.fromkeys(games, cross_entropy),
        loss_weights={game: weights[game] for game in games},
        weighted_metrics={game: [accuracy] for game in games},
        jit_compile="auto",
    )


def train_classifier(profile, arrays, seed, epochs, pretrained=None, verbose=0):
    """Trains a classifier, from a pretrained encoder or from scratch.

    Both have the same layers, head, batches and order; each has a learning rate of its own
    in the profile.

    Args:
        profile: a `Profile`.
        arrays: a pair of token ids, int `(sentences, sentence_length)`, and labels, int
            `(sentences,)`.
        seed: int, fixes fresh weights, dropout and order.
        epochs: int, passes over the sentences.
        pretrained: the pretrained encoder, or None for one from scratch.
        verbose: what `fit` says.

    Returns:
        The trained `keras.Model`, from token ids to logits.
    """
    token_ids, labels = arrays
    keras.utils.set_random_seed(seed)
    encoder = models.build_encoder(
        profile, profile.sentence_length, profile.finetuning_dropout
    )
    if pretrained is not None:
        encoder.set_weights(pretrained.get_weights())
    model = models.build_classifier(
        encoder, int(labels.max()) + 1, profile.finetuning_dropout
    )
    # Whole batches only: one shape, one compilation.
    batch_size = min(profile.finetuning_batch_size, len(labels))
    whole = len(labels) // batch_size * batch_size
    peak = profile.scratch_rate if pretrained is None else profile.finetuning_rate
    model.compile(
        optimizer=keras.optimizers.AdamW(
            learning_rate(peak, epochs * whole // batch_size),
            weight_decay=profile.weight_decay,
            global_clipnorm=1.0,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        token_ids[:whole],
        labels[:whole],
        batch_size=batch_size,
        epochs=epochs,
        verbose=verbose,
    )
    return model


def class_probabilities(model, token_ids, batch_size=256):
    """What a classifier thinks of each sentence.

    Args:
        model: a model from `train_classifier`.
        token_ids: int array, `(sentences, sentence_length)`.
        batch_size: int, sentences at once.

    Returns:
        A float array, `(sentences, classes)`, each row with sum 1.
    """
    # Filled up to whole batches, for one shape and one compilation.
    filling = np.zeros((-len(token_ids) % batch_size, token_ids.shape[1]), "int32")
    logits = model.predict(
        np.concatenate([token_ids, filling]), batch_size=batch_size, verbose=0
    )
    probabilities = ops.softmax(logits[: len(token_ids)], axis=-1)
    return ops.convert_to_numpy(probabilities)
