"""What the notebooks that train have in common."""

import hashlib
import time

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from sklearn.linear_model import LogisticRegression

from helpers import checkpoints, devices, models, profiles

WARM_UP = 0.05

# Inverse strength of the penalty in the regression that a head starts from. The fewer the
# labels, the more it matters: chosen at 250 to 1,000 (benchmarks/README.md).
HEAD_STRENGTH = 0.01

# What rows of sentences are cut to. More lengths mean less filling, but each is compiled,
# which takes as long as a few hundred steps.
LENGTHS = (24, 48, 96)


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
        return adamw(profile, rate)
    return keras.optimizers.Muon(
        rate,
        weight_decay=profile.weight_decay,
        adam_weight_decay=profile.weight_decay,
        adam_lr_ratio=profile.embedding_rate,
        global_clipnorm=profile.clipnorm or None,
    )


def adamw(profile, rate):
    """AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101).

    Args:
        profile: a `Profile`.
        rate: what `learning_rate` gives.

    Returns:
        A `keras.optimizers.Optimizer`.
    """
    return keras.optimizers.AdamW(
        rate,
        weight_decay=profile.weight_decay,
        global_clipnorm=profile.clipnorm or None,
    )


def cross_entropy(labels, logits):
    """Minus the log-probability of the right answer.

    The same as `keras.losses.sparse_categorical_crossentropy`, which on JAX makes a row as
    long as the vocabulary out of each label; with two cores that takes a tenth of a step.

    Args:
        labels: int tensor, `(..., )`.
        logits: float tensor, `(..., classes)`.

    Returns:
        A float32 tensor, `(..., )`.
    """
    # bfloat16 has three digits: too few for the logarithm of a sum of thousands.
    logits = ops.cast(logits, "float32")
    return ops.logsumexp(logits, axis=-1) - _score_of_answer(labels, logits)


def accuracy(labels, logits):
    """1 where the right answer has the highest score, float32 `(..., )`; else 0."""
    best = ops.max(logits, axis=-1)
    return ops.cast(_score_of_answer(labels, logits) >= best, "float32")


def _score_of_answer(labels, logits):
    labels = ops.expand_dims(ops.cast(labels, "int32"), axis=-1)
    return ops.squeeze(ops.take_along_axis(logits, labels, axis=-1), axis=-1)


def pretraining_model(profile, steps, log_frequencies, vectors=None):
    """Builds and compiles what notebook 03 pretrains, as it does in the open.

    Args:
        profile: a `Profile`.
        steps: int, steps of the whole training.
        log_frequencies: float array, `(vocabulary,)`.
        vectors: float array, `(vocabulary, hidden)`, that the embedding starts from; None
            for random ones.

    Returns:
        A compiled `keras.Model`; see `models.build_pretraining_model`.
    """
    encoder = models.build_encoder(profile)
    if vectors is not None:
        models.start_from_vectors(encoder, vectors)
    model = models.build_pretraining_model(encoder, profile, log_frequencies)
    weights = {"masked_words": 1.0, "neighbours": profile.neighbour_weight}
    games = list(model.output)
    model.compile(
        optimizer=pretraining_optimizer(profile, steps),
        loss=dict.fromkeys(games, cross_entropy),
        loss_weights={game: weights[game] for game in games},
        weighted_metrics={game: [accuracy] for game in games},
        jit_compile="auto",
    )
    return model


def sentence_batches(profile, token_ids, labels, batch_size, seed):
    """Batches of sentences of like length, in an order that is new in every pass.

    A batch is cut where its longest sentence ends, or soon after, at one of a few lengths:
    rows as long as the longest of all would be half padding, and each length is compiled.
    Without the profile's `like_lengths`, or where padding takes part in the result, all
    rows have full length; if the profile doesn't `shuffle`, sentences come as they stand.

    Args:
        profile: a `Profile`.
        token_ids: int array, `(sentences, sentence_length)`, padded.
        labels: int array, `(sentences,)`.
        batch_size: int, sentences in a batch; batches are always whole.
        seed: int, fixes the order.

    Returns:
        An endless `tf.data.Dataset` of token ids, int `(batch, length)`, and labels, int
        `(batch,)`.
    """
    longest = token_ids.shape[1]
    lengths = [length for length in LENGTHS if length < longest] + [longest]
    padding_counts = profile.attend_padding or profile.average_padding
    if padding_counts or not profile.like_lengths:
        lengths = [longest]
    rows, answers = tf.constant(token_ids), tf.constant(labels)

    def one_pass(number):
        # A pass depends on the seed and on its number alone: `skip` comes to the same
        # batches, and so does an iterator that is made anew.
        order = tf.range(len(labels))
        if profile.shuffle:
            order = tf.random.experimental.stateless_shuffle(order, [seed, number])
        return tf.data.Dataset.from_tensor_slices(order)

    def sentence(place):
        row = rows[place]
        return row[: tf.math.count_nonzero(row)], answers[place]

    # Endless before the batches are made, so that no sentence is left over.
    return (
        tf.data.Dataset.counter()
        .flat_map(one_pass)
        .map(sentence)
        .bucket_by_sequence_length(
            lambda ids, label: tf.size(ids),
            # Each boundary is the first length that is too long.
            bucket_boundaries=[length + 1 for length in lengths],
            bucket_batch_sizes=[batch_size] * (len(lengths) + 1),
            pad_to_bucket_boundary=True,
            drop_remainder=True,
        )
    )


def start_head(classifier, token_ids, labels):
    """Starts a classifier's head where a logistic regression ends.

    The regression learns from the sentence vectors that the encoder gives as it is. A head
    of random weights would pull the encoder in random directions until it has found its
    own: linear probing, then fine-tuning (Kumar et al., 2022,
    https://arxiv.org/abs/2202.10054).

    Args:
        classifier: a model from `models.build_classifier`; its head gets new weights.
        token_ids: int array, `(sentences, length)`.
        labels: int array, `(sentences,)`, with every class at least once.
    """
    head = classifier.get_layer("head")
    to_vectors = keras.Model(classifier.input, head.input)
    regression = LogisticRegression(C=HEAD_STRENGTH, max_iter=1000)
    regression.fit(predict(to_vectors, token_ids), labels)
    weights, bias = regression.coef_, regression.intercept_
    if len(weights) > 1:
        # Of two classes scikit-learn, too, scores the second alone, against the first.
        weights, bias = weights[1:] - weights[0], bias[1:] - bias[0]
    head.set_weights([weights.T, bias])


def train_classifier(profile, arrays, seed, epochs, pretrained=None, folder=None):
    """Trains a classifier, from a pretrained encoder or from scratch.

    Both have the same layers, batches and order, and a head that starts in the same way;
    each has a learning rate of its own in the profile.

    Args:
        profile: a `Profile`.
        arrays: a pair of token ids, int `(sentences, sentence_length)`, and labels, int
            `(sentences,)`.
        seed: int, fixes fresh weights, dropout and order.
        epochs: int, passes over the sentences.
        pretrained: the pretrained encoder, or None for one from scratch.
        folder: a path, where the training is saved as it goes on, and where it goes on if
            it was interrupted, or is done. By default it isn't saved.

    Returns:
        The trained `keras.Model`, from token ids to logits, and the seconds that it took.

    Raises:
        DeviceError: the devices in use can't share a batch.
        CheckpointError: what the folder holds is of other settings, or it has no room.
    """
    before = time.perf_counter()
    token_ids, labels = arrays
    keras.utils.set_random_seed(seed)
    encoder = models.build_encoder(profile, profile.finetuning_dropout)
    if pretrained is not None:
        encoder.set_weights(pretrained.get_weights())
    start = hashlib.sha256(b"".join(map(bytes, encoder.get_weights()))).hexdigest()
    model = models.build_classifier(encoder, profile, int(labels.max()) + 1)
    if profile.head_first:
        start_head(model, token_ids, labels)
    batch_size = min(profile.finetuning_batch_size, len(labels))
    devices.check_classifier(len(labels), batch_size)
    steps = epochs * (len(labels) // batch_size)
    peak = profile.scratch_rate if pretrained is None else profile.finetuning_rate
    model.compile(
        optimizer=adamw(profile, learning_rate(peak, steps, profile.schedule)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    # What `fit` calls an epoch are some steps here, at the end of which it may be saved.
    pace = max(number for number in range(1, 101) if steps % number == 0)
    about = {"start": start, "seed": seed, "steps": steps, **profiles.settings(profile)}
    saved = checkpoints.Checkpoints(model, folder, about)
    head_seconds = time.perf_counter() - before
    done = saved.restore()
    batches = sentence_batches(profile, token_ids, labels, batch_size, seed)
    model.fit(
        batches.skip(done * pace),
        initial_epoch=done,
        epochs=steps // pace,
        steps_per_epoch=pace,
        shuffle=False,  # the batches come shuffled
        callbacks=[saved],
        verbose=0,
    )
    return model, head_seconds + saved.seconds


def class_probabilities(model, token_ids):
    """What a classifier thinks of each sentence.

    Args:
        model: a model from `train_classifier`.
        token_ids: int array, `(sentences, sentence_length)`.

    Returns:
        A float array, `(sentences, classes)`, each row with sum 1.
    """
    return ops.convert_to_numpy(ops.softmax(predict(model, token_ids)))


def predict(model, inputs, batch_size=256):
    """What `model.predict` gives, in batches that are all whole.

    Args:
        model: a `keras.Model` with one input and one output.
        inputs: int array, `(rows, length)`.
        batch_size: int, rows in a batch.

    Returns:
        A float32 array, `(rows, ...)`.
    """
    # Filled up, so that one shape is compiled, which all devices can share.
    filling = np.zeros((-len(inputs) % batch_size, inputs.shape[1]), inputs.dtype)
    rows = np.concatenate([inputs, filling])
    predicted = model.predict(rows, batch_size=batch_size, verbose=0)[: len(inputs)]
    return predicted.astype("float32")
