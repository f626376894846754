"""Devices: what is found, many of them, many hosts."""

import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import time

import keras
import nbformat
import numpy as np
import pytest
from conftest import REPOSITORY

from helpers import devices, preprocessing, results

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="Keras distributes on JAX only"
)


class Device:
    def __init__(self, platform, compute_capability=None):
        self.platform, self.compute_capability = platform, compute_capability
        self.id = 0


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        (Device("cpu"), "float32"),
        (Device("tpu"), "bfloat16"),
        (Device("gpu", "7.5"), "float32"),
        (Device("gpu", "9.0"), "bfloat16"),
    ],
)
def test_bfloat16_is_taken_where_the_device_has_it(profile, monkeypatch, device, precision):
    import jax

    monkeypatch.setattr(jax, "devices", lambda backend=None: [device])
    policy = keras.config.dtype_policy()
    try:
        asked = dataclasses.replace(profile, precision="bfloat16")
        assert devices.prepare(asked).endswith(f"computing in {precision}")
        assert keras.config.dtype_policy().compute_dtype == precision
        assert devices.prepare(profile).endswith("float32")
    finally:
        keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"devices": 3}, "`devices` of the profile is 3, and there are 1 .cpu:0.: give at"),
        ({"model_devices": 2}, "`model_devices` of the profile is 2: give a number that"),
    ],
)
def test_settings_that_do_not_fit_get_a_sentence(profile, settings, message):
    with pytest.raises(devices.DeviceError, match=message):
        devices.prepare(dataclasses.replace(profile, **settings))
    assert keras.distribution.distribution() is None


def test_one_host_fine_tunes(monkeypatch):
    devices.check_classifier(500, 32)
    monkeypatch.setattr(devices, "part", lambda: (0, 2))
    with pytest.raises(devices.DeviceError, match="only one can fine-tune"):
        devices.check_classifier(500, 32)


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_other_backends_say_that_keras_does_not_distribute_on_them(
    profile, monkeypatch, backend
):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(devices, "found", lambda: ["gpu:0", "gpu:1"])
    monkeypatch.setattr(devices, "_has_bfloat16", lambda: False)
    said = devices.prepare(profile)
    assert said == f"{backend} on gpu:0 (there are 2), computing in float32"
    with pytest.raises(devices.DeviceError, match="Keras distributes on JAX only"):
        devices.prepare(dataclasses.replace(profile, devices=2))


@pytest.fixture(scope="module")
def program(tmp_path_factory, profile, texts, vocabulary):
    """Notebook 3's program for many hosts, and what notebook 2 leaves it."""
    (path,) = (REPOSITORY / "notebooks").glob("03_*.ipynb")
    (text,) = (
        cell.source
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "markdown" and "```python\nimport helpers" in cell.source
    )
    text = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert text.count('load_profile("full")') == 1
    text = text.replace('load_profile("full")', "load_profile(**SETTINGS)")
    folder = tmp_path_factory.mktemp("hosts")

    def prepared(name, often=False, **changes):
        """A function that starts a process, and the folder of its checkpoints."""
        asked = dataclasses.replace(profile, **{**FEWER, **changes})
        artifacts = folder / name
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TUTORIAL_ARTIFACTS", str(artifacts))
            store = results.path(asked, "rows") / "training"
            preprocessing.store_rows(asked, vocabulary, texts, store)
            vectors = np.random.default_rng(0).normal(size=(1500, 16)).astype("float32")
            np.save(results.path(asked, "word_vectors.npy"), vectors)
            names = results.path(asked, "vocabulary.txt")
            names.write_text("\n".join(vocabulary), "utf-8")
            files = ["vocabulary.txt", "rows", "word_vectors.npy"]
            results.write_record(asked, 2, {}, files)
            saved = results.checkpoints(asked, 3)
        settings = dataclasses.asdict(asked)
        source = f"SETTINGS = {settings!r}\n{OFTEN if often else ''}{text}{MORE}"

        def start(**environment):
            return subprocess.Popen(
                [sys.executable, "-c", source],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    "TUTORIAL_ARTIFACTS": str(artifacts),
                    **environment,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        return start, saved

    return prepared


# Twenty steps, each a leg of its own; without dropout, whose draws need not agree.
FEWER = {"pretraining_steps": 20, "validation_sequences": 64, "num_heads": 2}
MORE = 'print("losses", saved.history["loss"])'
# Saves after every leg, whatever it costs.
OFTEN = """
import helpers

helpers.choose_backend("jax")

from helpers import checkpoints

checkpoints.SHARE = 1e9
checkpoints.Checkpoints.__init__.__defaults__ = (0.0,)
"""


def losses(process):
    """The loss of each step, when a process has ended well."""
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return np.array(json.loads(re.search(r"losses (\[.*\])", printed)[1]))


@pytest.fixture(scope="module")
def alone(program):
    """The losses on one device."""
    start, _ = program("alone")
    return losses(start())


EIGHT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}


@pytest.mark.parametrize("model_devices", [1, 2])
def test_eight_devices_come_to_the_loss_of_one(program, alone, model_devices):
    start, _ = program(f"eight-{model_devices}", model_devices=model_devices)
    np.testing.assert_allclose(losses(start(**EIGHT)), alone, atol=1e-4)


def test_eight_devices_come_to_the_loss_of_one_with_the_classic_encoder(program):
    changes = {"encoder": "classic", "optimizer": "adamw"}
    one, _ = program("classic", **changes)
    eight, _ = program("classic-eight", model_devices=2, **changes)
    np.testing.assert_allclose(losses(eight(**EIGHT)), losses(one()), atol=1e-4)


def test_a_batch_that_does_not_divide_gets_one_sentence(program):
    start, _ = program("uneven", batch_size=12)
    printed, _ = start(**EIGHT).communicate(timeout=300)
    assert (
        "DeviceError: `batch_size` of the profile is 12, which 8 devices can't" in printed
    )


def hosts(start, **environment):
    """Two processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        start(
            KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
            KERAS_DISTRIBUTION_NUM_PROCESSES="2",
            KERAS_DISTRIBUTION_PROCESS_ID=str(number),
            **environment,
        )
        for number in range(2)
    ]


def test_two_hosts_come_to_the_loss_of_one(program, alone):
    start, _ = program("hosts")
    for one in [losses(process) for process in hosts(start)]:
        np.testing.assert_allclose(one, alone, atol=1e-4)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_host_is_noticed_and_the_pair_goes_on(program, killed):
    start, saved = program(f"lost-{killed}", often=True, pretraining_steps=200)
    pair = hosts(start)
    until = time.monotonic() + 200
    while len(list(saved.glob("*.npz"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    pair[killed].kill()
    before = time.monotonic()
    printed, _ = pair[1 - killed].communicate(timeout=60)
    assert pair[1 - killed].returncode != 0, printed
    assert time.monotonic() - before < 60
    pair[killed].communicate()
    one, other = (process.communicate(timeout=300)[0] for process in hosts(start))
    assert "going on after" in one
    assert "going on after" in other
    assert one.splitlines()[-1] == other.splitlines()[-1]
    # Sums in another order drift apart, over two hundred steps by more than over twenty.
    whole, _ = program("whole", pretraining_steps=200)
    resumed = np.array(json.loads(one.splitlines()[-1].removeprefix("losses ")))
    np.testing.assert_allclose(resumed, losses(whole()), atol=1e-2)
