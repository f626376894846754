"""Devices, precision, and how long a training takes."""

import dataclasses
import re
import time
import types

import keras
import pytest

from helpers import hardware, pretraining


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="is about JAX")
@pytest.mark.parametrize("device", ["cpu", "tpu", "gpu 7.5", "gpu 9.0", "gpu gfx90a"])
def test_bfloat16_is_taken_where_the_device_has_it(profile, monkeypatch, device):
    import jax

    precision = "bfloat16" if device in ("tpu", "gpu 9.0") else "float32"
    platform, _, version = device.partition(" ")
    described = types.SimpleNamespace(platform=platform, compute_capability=version, id=0)
    monkeypatch.setattr(jax, "devices", lambda backend=None: [described])
    asked = dataclasses.replace(profile, precision="bfloat16")
    try:
        assert hardware.use_devices(asked).endswith(f"computing in {precision}")
        assert keras.config.dtype_policy().compute_dtype == precision
        assert hardware.use_devices(profile).endswith("float32")
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.skipif(
    "cpu" not in str(keras.ops.zeros(1).device).lower(), reason="is about processors"
)
def test_hours_on_a_processor_are_said_and_must_be_wanted(profile, monkeypatch):
    model = types.SimpleNamespace(train_on_batch=lambda *batch: time.sleep(0.001))
    monkeypatch.setattr(pretraining, "pretraining_model", lambda *arguments: model)
    said = "On this machine pretraining takes less than an hour."
    assert hardware.say_hours(profile) == said
    slow = dataclasses.replace(profile, pretraining_steps=10**9)
    with pytest.raises(RuntimeError, match=r"takes about \d+ hours\. .* `allow_slow` to"):
        hardware.say_hours(slow)
    said = hardware.say_hours(dataclasses.replace(slow, allow_slow=True))
    assert re.fullmatch(r"On this machine pretraining takes about \d+ hours\.", said)
