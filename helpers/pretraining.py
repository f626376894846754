"""Pretraining: schedule, optimizers, loss, and the compiled model."""

import keras
import numpy as np
from keras import ops

import helpers
from helpers import models


def learning_rate(peak, steps):
    """A linear warm-up over 5 % of the steps, then cosine decay to 2 % of the peak
    (Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983)."""
    rise = max(1, round(0.05 * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, steps - rise),
        alpha=0.02,
        warmup_target=peak,
        warmup_steps=rise,
    )


def adamw(peak, steps):
    """AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101)."""
    rate = learning_rate(peak, steps)
    return keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)


def pretraining_optimizer(profile, steps):
    """AdamW, or Muon (Jordan, 2024, https://kellerjordan.github.io/posts/muon/), which
    orthogonalises the updates of matrices; Adam trains embeddings, norms and biases."""
    if profile.optimizer == "adamw":
        return adamw(profile.learning_rate, steps)
    return keras.optimizers.Muon(
        learning_rate(profile.learning_rate, steps),
        weight_decay=0.01,
        global_clipnorm=1.0,
        adam_weight_decay=0.01,
        adam_lr_ratio=profile.embedding_rate,
    )


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
    words = ops.arange(ops.shape(logits)[-1])
    is_best = ops.equal(logits, ops.max(logits, axis=-1, keepdims=True))
    predicted = ops.min(ops.where(is_best, words, words[-1]), axis=-1)
    return ops.cast(ops.equal(predicted, ops.cast(labels, "int32")), "float32")


def plan(steps):
    """Divides a training into two to a hundred epochs for `fit`, after which it may be
    saved: their number, the steps in each, rounded up, and a list of some ten epochs after
    which it is evaluated, the last of them included."""
    steps_per_epoch = -(-steps // 100)
    epochs = max(2, -(-steps // steps_per_epoch))
    every = max(1, epochs // 10)
    evaluated = list(range(every, epochs - every // 2, every))
    evaluated.append(epochs)
    return epochs, steps_per_epoch, evaluated


def pretraining_model(profile, steps, log_frequencies, vectors=None, encoder=None):
    """Builds and compiles the model that notebook 3 pretrains.

    Args:
        profile: a `Profile`.
        steps: int, the steps of the whole training, for the schedule.
        log_frequencies: float array, `(vocabulary,)`; see `models.build_pretraining_model`.
        vectors: float array, `(vocabulary, hidden)`, from which a new encoder's embedding
            starts; by default it is random.
        encoder: an `Encoder` to train instead of a new one.
    """
    if encoder is None:
        encoder = models.build_encoder(profile)
    if vectors is not None:
        models.start_from_vectors(encoder, vectors)
    model = models.build_pretraining_model(encoder, log_frequencies)
    model.compile(
        pretraining_optimizer(profile, steps),
        MeanCrossEntropy(),
        # Keras averages a loss over batches; this metric is the exact mean over all masked
        # tokens, to compare with baselines.
        weighted_metrics=[accuracy, cross_entropy],
    )
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
        is_finite = np.isfinite(list(logs.values())).all()
        for variable in self.model.trainable_variables:
            is_finite &= np.isfinite(ops.convert_to_numpy(variable)).all()
        if not is_finite:
            self.bar.close()
            lost = f"Training has diverged: after {self.bar.n} steps the loss is"
            raise FloatingPointError(f"{lost} {logs['loss']}. Lower the learning rate.")

    def on_train_end(self, logs=None):
        self.bar.close()
