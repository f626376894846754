"""Training code that notebooks share: devices, optimizers, losses, fine-tuning."""

import math
import time

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from sklearn.linear_model import LogisticRegression

import helpers
from helpers import masking, models
from helpers.normalization import SPECIAL_TOKENS

# Steps from which the hours of pretraining are estimated
TIMED_STEPS = 3

# In fine-tuning
FINETUNING_BATCH_SIZE, FINETUNING_DROPOUT = 32, 0.1

# Epochs with few labels, from scratch; chosen on training sentences.
SCRATCH_FEW_EPOCHS = 10

# The inverse penalty of the regression that initialises a head. It matters most with few
# labels, so it was chosen at 250 to 1,000 (benchmarks/README.md).
HEAD_STRENGTH = 0.01


def use_devices(profile):
    """Sets up devices and precision, and returns a sentence about them. Build models only
    afterwards.

    On JAX, batches are split over as many devices as their size allows
    (`keras.distribution.DataParallel`), and the precision is bfloat16 if the profile says
    so and the device supports it: TPUs, and NVIDIA GPUs from compute capability 8.0.
    Weights stay in float32 (Micikevicius et al., 2018, https://arxiv.org/abs/1710.03740).
    """
    if keras.backend.backend() != "jax":
        return f"{keras.backend.backend()}, computing in float32"
    import jax

    names, device = keras.distribution.list_devices(), jax.devices()[0]
    divides = math.gcd(profile.batch_size, FINETUNING_BATCH_SIZE)
    use = names[: max(n for n in range(1, len(names) + 1) if divides % n == 0)]
    if len(use) > 1:
        split = keras.distribution.DataParallel(devices=use, auto_shard_dataset=False)
        keras.distribution.set_distribution(split)
    # AMD's version is not a number.
    version = str(getattr(device, "compute_capability", "")).partition(".")[0]
    short = device.platform == "tpu" or (version.isdecimal() and int(version) >= 8)
    precision = profile.precision
    if not short:
        precision = "float32"
    keras.config.set_dtype_policy(precision.replace("bfloat16", "mixed_bfloat16"))
    return f"jax on {', '.join(use)} of {len(names)}, computing in {precision}"


def say_hours(profile):
    """Estimates how long pretraining takes on this machine, from a few steps on random
    rows, and returns a sentence about it. On a CPU, more than an hour is a RuntimeError
    unless `allow_slow` is set."""
    shape = profile.batch_size, profile.sequence_length
    words = len(SPECIAL_TOKENS), profile.vocabulary_size
    rows = np.random.default_rng(0).integers(*words, shape, dtype="int32")
    batch = masking.MaskedBatches(rows, profile, steps=1)[0]
    model = pretraining_model(profile, TIMED_STEPS, np.zeros(profile.vocabulary_size))
    model.train_on_batch(*batch)  # compiles
    before = time.perf_counter()
    for _ in range(TIMED_STEPS):
        model.train_on_batch(*batch)  # waits for its loss
    seconds = (time.perf_counter() - before) / TIMED_STEPS
    hours = seconds * profile.pretraining_steps / 3600
    said = f"some {hours:.0f} hours" if hours > 1 else "less than an hour"
    said = f"On this machine pretraining takes {said}."
    on_cpu = "cpu" in str(ops.zeros(1).device).lower()
    if not profile.allow_slow and on_cpu and hours > 1:
        said += " Use a GPU or TPU (see README.md), or lower `pretraining_steps`"
        raise RuntimeError(f"{said}, or set `allow_slow` to True.")
    return said


def learning_rate(peak, steps):
    """A linear warm-up over 5 % of the steps, then cosine decay to 2 % of the peak
    (Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983)."""
    rise = max(1, round(0.05 * steps))
    options = {"warmup_target": peak, "warmup_steps": rise, "alpha": 0.02}
    return keras.optimizers.schedules.CosineDecay(0.0, max(1, steps - rise), **options)


def _adamw(peak, steps):
    """AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101)."""
    rate = learning_rate(peak, steps)
    return keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)


def pretraining_optimizer(profile, steps):
    """AdamW, or Muon (Jordan, 2024, https://kellerjordan.github.io/posts/muon/), which
    orthogonalises the updates of matrices; Adam trains embeddings, norms and biases."""
    if profile.optimizer == "adamw":
        return _adamw(profile.learning_rate, steps)
    rate = learning_rate(profile.learning_rate, steps)
    options = {"adam_weight_decay": 0.01, "adam_lr_ratio": profile.embedding_rate}
    return keras.optimizers.Muon(rate, weight_decay=0.01, global_clipnorm=1.0, **options)


def cross_entropy(labels, logits):
    """Minus the log-probability of the correct answer, float32 of the labels' shape.

    The same as Keras' loss, but faster by a tenth of a step on two cores. On a TPU, a
    gather in the place of the sum would take several passes over all logits.
    """
    # bfloat16 has too few digits for the logarithm of a sum of thousands.
    logits = ops.cast(logits, "float32")
    answers = ops.expand_dims(ops.cast(labels, "int32"), axis=-1)
    is_answer = ops.equal(ops.arange(ops.shape(logits)[-1]), answers)
    score = ops.sum(ops.where(is_answer, logits, 0.0), axis=-1)
    return ops.logsumexp(logits, axis=-1) - score


class MeanCrossEntropy(keras.losses.Loss):
    """The mean of `cross_entropy` over masked tokens. Keras' default is the mean over all
    places, empty ones included, which is too low where texts are short."""

    def __init__(self):
        super().__init__(reduction="mean_with_sample_weight")

    def call(self, labels, logits):
        return cross_entropy(labels, logits)


def accuracy(labels, logits):
    """1 where the highest logit is that of the correct answer, else 0; float32 of the
    labels' shape. The same as Keras' metric, without its slow `argmax`."""
    words, best = ops.arange(ops.shape(logits)[-1]), ops.max(logits, axis=-1, keepdims=True)
    found = ops.min(ops.where(ops.equal(logits, best), words, words[-1]), axis=-1)
    return ops.cast(ops.equal(found, ops.cast(labels, "int32")), "float32")


def plan(steps):
    """Divides a training into two to a hundred epochs for `fit`, after which it may be
    saved: their number, the steps in each, rounded up, and a list of some ten epochs after
    which it is evaluated, the last of them included."""
    steps_per_epoch = -(-steps // 100)
    epochs = max(2, -(-steps // steps_per_epoch))
    every = max(1, epochs // 10)
    evaluated = [*range(every, epochs - every // 2, every), epochs]
    return epochs, steps_per_epoch, evaluated


def compile_options(outputs, profile):
    """What `compile` takes for the outputs of a pretraining model, a dict: losses, their
    weights, and metrics. Keras averages a loss over batches; the metric `cross_entropy` is
    the exact mean over all masked tokens, to compare with baselines."""
    weights = {"masked_words": 1.0, "neighbours": profile.neighbour_weight}
    return {
        "loss": {name: MeanCrossEntropy() for name in outputs},
        "loss_weights": {name: weights[name] for name in outputs},
        "weighted_metrics": {name: [accuracy, cross_entropy] for name in outputs},
    }


def pretraining_model(profile, steps, log_frequencies, vectors=None):
    """Builds and compiles the model that notebook 3 pretrains."""
    encoder = models.build_encoder(profile)
    if vectors is not None:
        models.start_from_vectors(encoder, vectors)
    model = models.build_pretraining_model(encoder, profile, log_frequencies)
    options = compile_options(model.output, profile)
    model.compile(pretraining_optimizer(profile, steps), **options)
    return model


class Progress(keras.callbacks.Callback):
    """Shows a progress bar, and stops a diverged training with a FloatingPointError, before
    later callbacks can save it."""

    def on_train_begin(self, logs=None):
        total = self.params["steps"] * self.params["epochs"]
        self.bar = helpers.progress(total=total, unit=" steps")

    def on_epoch_begin(self, epoch, logs=None):
        self.bar.n = epoch * self.params["steps"]

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs):
        weights = map(ops.convert_to_numpy, self.model.trainable_variables)
        if not all(np.isfinite(each).all() for each in ([*logs.values()], *weights)):
            self.bar.close()
            lost = f"Training has diverged: after {self.bar.n} steps the loss is"
            raise FloatingPointError(f"{lost} {logs['loss']}. Lower the learning rate.")

    def on_train_end(self, logs=None):
        self.bar.close()


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
    options = {"pad_to_bucket_boundary": True, "drop_remainder": True}
    options["bucket_boundaries"] = [length + 1 for length in lengths]  # the first too long
    options["bucket_batch_sizes"] = [batch_size] * (len(lengths) + 1)
    return cut.bucket_by_sequence_length(lambda ids, label: tf.size(ids), **options)


def start_head(classifier, token_ids, labels):
    """Initialises a classifier's head with a logistic regression.

    Linear probing, then fine-tuning (Kumar et al., 2022, https://arxiv.org/abs/2202.10054).
    """
    head = classifier.get_layer("head")
    vectors = predict(keras.Model(classifier.input, head.input), token_ids)
    regression = LogisticRegression(C=HEAD_STRENGTH, max_iter=1000).fit(vectors, labels)
    weights, bias = regression.coef_, regression.intercept_
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
    encoder, peak = models.build_encoder(profile, FINETUNING_DROPOUT), profile.scratch_rate
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
    model.compile(_adamw(peak, epochs * steps), loss, metrics=["accuracy"])
    sizes = profile.sentence_lengths, batch_size
    batches = sentence_batches(token_ids, labels, *sizes, seed)
    plan = {"epochs": epochs, "steps_per_epoch": steps, "callbacks": [Progress()]}
    model.fit(batches, shuffle=False, verbose=0, **plan)  # the batches come shuffled
    return model


def predict(model, inputs, batch_size=256):
    """Like `model.predict`, float32 `(rows, ...)`, but with equal batches: only one shape
    has to be compiled, and all devices can share it.

    Args:
        model: a `keras.Model` with one output.
        inputs: array `(rows, ...)`, or a list or dict of such arrays.
        batch_size: int.
    """
    rows = len(keras.tree.flatten(inputs)[0])

    def fill_up(array):
        return np.pad(array, [(0, -rows % batch_size)] + [(0, 0)] * (array.ndim - 1))

    inputs = keras.tree.map_structure(fill_up, inputs)
    return model.predict(inputs, batch_size, verbose=0)[:rows].astype("float32")


def class_probabilities(model, token_ids):
    """A classifier's probabilities for each sentence: float `(sentences, classes)`."""
    return ops.convert_to_numpy(ops.softmax(predict(model, token_ids)))
