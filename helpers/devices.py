"""Finds the devices, and has Keras use them: one of them or many, on one host or many."""

import os
import sys

import keras
import tensorflow as tf

# How weights are split where one copy of them lies on several devices: of a pair of
# matrices the first by its columns and the second by its rows, so that nothing has to be
# exchanged between the two (Shoeybi et al., 2019, https://arxiv.org/abs/1909.08053).
_SPLIT = {
    ".*(query_key_value|feedforward_intermediate_dense)/kernel": (None, "model"),
    ".*feedforward_intermediate_dense/bias": ("model",),
    ".*(attention_dense|feedforward_output_dense)/kernel": ("model", None),
    # KerasHub's `TransformerEncoder` has a dimension for the heads.
    ".*self_attention_layer/(query|key|value)/kernel": (None, "model", None),
    ".*self_attention_layer/(query|key|value)/bias": ("model", None),
    ".*self_attention_layer/attention_output/kernel": ("model", None, None),
}


class DeviceError(ValueError):
    """Settings that don't fit the devices."""


def found():
    """The names of all devices that the backend could train on, as in "gpu:0".

    Accelerators if there are any, else processors; on JAX those of all hosts.
    """
    if keras.backend.backend() != "torch":
        return keras.distribution.list_devices()
    import torch

    if torch.cuda.is_available():
        return [f"gpu:{number}" for number in range(torch.cuda.device_count())]
    return ["mps:0" if torch.backends.mps.is_available() else "cpu:0"]


def prepare(profile):
    """Has Keras use the devices and the precision that the profile asks for.

    On JAX, batches are split over the devices (`keras.distribution.DataParallel`). If the
    profile's `model_devices` is more than 1, so many of them share one copy of the weights
    (`ModelParallel`), in which the blocks are split, and the embedding too if
    `vocabulary_size` can be divided. Models must be built after this. On several hosts,
    the environment says which: see `keras.distribution.initialize`.

    Precision is bfloat16 if the profile says so and the device has it, else float32.
    bfloat16 has the range of float32 and a third of its digits. TPUs compute in it, and
    NVIDIA's GPUs since compute capability 8.0 (Ampere); weights stay in float32
    (Micikevicius et al., 2018, https://arxiv.org/abs/1710.03740).

    Args:
        profile: a `Profile`.

    Returns:
        A string, the sentence that says what is used.

    Raises:
        DeviceError: the settings don't fit the devices.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        _join_hosts()
    names = found()
    count = profile.devices or (len(names) if backend == "jax" else 1)
    if count > len(names):
        raise DeviceError(
            f"`devices` of the profile is {count}, and there are {len(names)} "
            f"({', '.join(names)}): give at most that, or 0 for all."
        )
    if backend != "jax" and max(count, profile.model_devices) > 1:
        raise DeviceError(
            f"Keras distributes on JAX only, and this is {backend}: set `devices` and "
            "`model_devices` to 1, or KERAS_BACKEND to jax."
        )
    use = names[:count]
    if backend == "jax":
        keras.distribution.set_distribution(_distribution(profile, use))
    short = profile.precision == "bfloat16" and _has_bfloat16()
    keras.config.set_dtype_policy("mixed_bfloat16" if short else "float32")
    where = use[0] if count == 1 else f"{count} devices ({use[0]} to {use[-1]})"
    there = f" (there are {len(names)})" if count < len(names) else ""
    shared = ", which share each batch" if count > 1 else ""
    if profile.model_devices > 1:
        shared += f", {profile.model_devices} of them a copy of the weights"
    precision = "bfloat16" if short else "float32"
    return f"{backend} on {where}{there}{shared}, computing in {precision}"


def _join_hosts():
    """Waits for the other hosts, if the environment names some and it wasn't done yet."""
    import jax

    named = "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ
    if named and not jax.distributed.is_initialized():
        keras.distribution.initialize()
        sys.excepthook = _leave


def _leave(kind, error, trace):
    """Ends a process that an error has stopped, such as the loss of another host.

    At its regular end JAX would wait minutes for the host that is lost.
    """
    sys.__excepthook__(kind, error, trace)
    sys.stderr.flush()
    os._exit(1)


def _distribution(profile, use):
    """The `keras.distribution.Distribution` over these devices; None for a single one."""
    count, together = len(use), profile.model_devices
    for setting in "batch_size", "finetuning_batch_size":
        size, copies = getattr(profile, setting), max(1, count // together)
        _check_batch(f"`{setting}` of the profile", size, copies)
    # `preprocessing.MaskedBatches` gives each host its part already.
    if together == 1:
        data_parallel = keras.distribution.DataParallel
        return data_parallel(devices=use, auto_shard_dataset=False) if count > 1 else None
    import jax

    # A host must hold a whole copy, so that it can save one.
    if min(count, jax.local_device_count()) % together or profile.num_heads % together:
        raise DeviceError(
            f"`model_devices` of the profile is {together}: give a number that divides "
            f"the {count} devices, those of each host, and the {profile.num_heads} heads."
        )
    mesh = keras.distribution.DeviceMesh(
        (count // together, together), ("batch", "model"), use
    )
    layouts = keras.distribution.LayoutMap(mesh)
    for path, axes in _SPLIT.items():
        layouts[path] = axes
    if profile.vocabulary_size % together == 0:
        layouts[".*token_embedding/embeddings"] = ("model", None)
    return keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False
    )


def _check_batch(name, size, copies):
    if size % copies:
        raise DeviceError(
            f"{name} is {size}, which {copies} devices can't share: give a multiple of "
            f"{copies}, or set `devices` of the profile to fewer."
        )


def check_classifier(labels, batch_size):
    """Makes sure that a classifier can be trained on the devices in use.

    Args:
        labels: int, labelled sentences.
        batch_size: int, sentences in a batch.

    Raises:
        DeviceError: there are several hosts, or the devices can't share the batch.
    """
    if part()[1] > 1:
        raise DeviceError(
            "Several hosts can pretrain together, but only one can fine-tune: run it there "
            "without KERAS_DISTRIBUTION_NUM_PROCESSES in the environment."
        )
    distribution = keras.distribution.distribution()
    copies = distribution.device_mesh.shape[0] if distribution else 1
    _check_batch(f"A batch of the {labels} labelled sentences", batch_size, copies)


def part():
    """Which part of every batch this process makes: its number, and how many there are."""
    if keras.backend.backend() != "jax":
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


def _has_bfloat16():
    """Whether the backend's first device multiplies bfloat16 in hardware."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        capability = getattr(device, "compute_capability", None) or "0"
        return device.platform == "tpu" or float(capability) >= 8
    if backend == "torch":
        import torch

        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if tf.config.list_logical_devices("TPU"):
        return True
    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    return details.get("compute_capability", (0, 0)) >= (8, 0)
