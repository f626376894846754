"""Devices, precision, and how long a training takes."""

import math
import time

import keras
import numpy as np
from keras import ops

from helpers import finetuning, masking, pretraining
from helpers.normalization import SPECIAL_TOKENS

# Steps from which the hours of pretraining are estimated
TIMED_STEPS = 3


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

    names = keras.distribution.list_devices()
    batch_sizes = math.gcd(profile.batch_size, finetuning.FINETUNING_BATCH_SIZE)
    count = len(names)
    while batch_sizes % count:
        count -= 1
    if count > 1:
        split = keras.distribution.DataParallel(
            devices=names[:count], auto_shard_dataset=False
        )
        keras.distribution.set_distribution(split)
    device = jax.devices()[0]
    # AMD's version is not a number.
    version = str(getattr(device, "compute_capability", "")).partition(".")[0]
    has_bfloat16 = device.platform == "tpu" or (version.isdecimal() and int(version) >= 8)
    precision = profile.precision
    if not has_bfloat16:
        precision = "float32"
    keras.config.set_dtype_policy(precision.replace("bfloat16", "mixed_bfloat16"))
    used = ", ".join(names[:count])
    return f"jax on {used} of {len(names)}, computing in {precision}"


def say_hours(profile):
    """Estimates how long pretraining takes on this machine, from a few steps on random
    rows, and returns a sentence about it. On a CPU, more than an hour is a RuntimeError
    unless `allow_slow` is set."""
    rows = np.random.default_rng(0).integers(
        len(SPECIAL_TOKENS),
        profile.vocabulary_size,
        size=(profile.batch_size, profile.sequence_length),
        dtype="int32",
    )
    batch = masking.MaskedBatches(rows, profile, steps=1)[0]
    frequencies = np.zeros(profile.vocabulary_size)
    model = pretraining.pretraining_model(profile, TIMED_STEPS, frequencies)
    model.train_on_batch(*batch)  # compiles
    before = time.perf_counter()
    for _ in range(TIMED_STEPS):
        model.train_on_batch(*batch)  # waits for its loss
    seconds = (time.perf_counter() - before) / TIMED_STEPS
    hours = seconds * profile.pretraining_steps / 3600
    duration = f"about {hours:.0f} hours" if hours > 1 else "less than an hour"
    sentence = f"On this machine pretraining takes {duration}."
    on_cpu = "cpu" in str(ops.zeros(1).device).lower()
    if not profile.allow_slow and on_cpu and hours > 1:
        advice = "Use a GPU or TPU (see docs/devices.md), or lower `pretraining_steps`"
        raise RuntimeError(f"{sentence} {advice}, or set `allow_slow` to True.")
    return sentence
