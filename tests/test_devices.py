"""Devices, and processes that train together: scripts/pretrain.py as it is."""

import dataclasses
import json
import socket
import time
import types

import keras
import nbformat
import numpy as np
import pytest

from conftest import EIGHT, NOTEBOOKS, REPOSITORY, finish, run_python, start_python
from helpers import preprocessing, profiles, results, training

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="Keras distributes on JAX only"
)


@pytest.mark.parametrize(
    ("platform", "version", "precision"),
    [
        ("cpu", None, "float32"),
        ("tpu", None, "bfloat16"),
        ("gpu", "7.5", "float32"),
        ("gpu", "9.0", "bfloat16"),
        ("gpu", "gfx90a", "float32"),
    ],
)
def test_bfloat16_is_taken_where_the_device_has_it(
    profile, monkeypatch, platform, version, precision
):
    import jax

    device = types.SimpleNamespace(platform=platform, compute_capability=version, id=0)
    monkeypatch.setattr(jax, "devices", lambda backend=None: [device])
    policy = keras.config.dtype_policy()
    try:
        asked = dataclasses.replace(profile, precision="bfloat16")
        assert training.use_devices(asked).endswith(f"computing in {precision}")
        assert keras.config.dtype_policy().compute_dtype == precision
        assert training.use_devices(profile).endswith("float32")
    finally:
        keras.config.set_dtype_policy(policy)


# Twenty steps, each an epoch of its own; without dropout, whose draws need not agree.
FEWER = {
    "vocabulary_size": 1500,
    "hidden_dim": 32,
    "intermediate_dim": 64,
    "mask_rate": 0.25,
    "batch_size": 16,
    "pretraining_steps": 20,
}
OFTEN = """
import helpers, runpy, sys
helpers.choose_backend("jax")
from helpers import checkpoints
checkpoints.Checkpoint.__init__.__defaults__ = (0.0,)
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


@pytest.fixture
def program(artifacts, profile, texts, vocabulary):
    """A function that starts scripts/pretrain.py, in a folder of its own, beside what
    notebook 2 leaves, and gives the path of what it saves, too."""

    def started(name, often=False, environment=(), **changes):
        folder = artifacts / name
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TUTORIAL_ARTIFACTS", str(folder))
            asked = dataclasses.replace(profile, **FEWER | changes)
            saved = results.path(asked, "pretraining.npz")
            if not results.path(asked, "rows.bin").exists():
                leave_preprocessing(asked, texts, vocabulary)
        settings = profiles.settings(asked)
        script = REPOSITORY / "scripts" / "pretrain.py"
        arguments = ["-c", OFTEN, script] if often else [script]
        environment = {"TUTORIAL_ARTIFACTS": str(folder), **dict(environment)}
        arguments += ["sample", json.dumps(settings)]
        return start_python(*arguments, **environment), saved

    return started


def leave_preprocessing(profile, texts, vocabulary):
    preprocessing.store_rows(texts, vocabulary, results.path(profile, "rows.bin"))
    shape = profile.vocabulary_size, profile.hidden_dim
    vectors = np.random.default_rng(0).normal(size=shape).astype("float32")
    np.save(results.path(profile, "word_vectors.npy"), vectors)
    results.path(profile, "vocabulary.txt").write_text("\n".join(vocabulary), "utf-8")
    files = ["vocabulary.txt", "word_vectors.npy", "rows.bin"]
    results.write_record(profile, 2, {}, files)


def history(saved):
    """The loss of each step."""
    with np.load(saved) as file:
        return json.loads(str(file["saved"]))["history"]["loss"]


def pair():
    """The environments of two processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    named = {"JOB_ADDRESSES": address, "NUM_PROCESSES": "2"}
    for number in "01":
        both = {**named, "PROCESS_ID": number}
        yield {f"KERAS_DISTRIBUTION_{name}": value for name, value in both.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "optimizer"), [("rotary", "muon"), ("classic", "adamw")]
)
def test_many_devices_and_two_hosts_come_to_the_loss_of_one(program, encoder, optimizer):
    changes = {"encoder": encoder, "optimizer": optimizer}
    alone, saved = program("alone", **changes)
    assert "20 steps, 0 of them done before" in finish(alone)
    losses = history(saved)
    assert len(losses) == 20
    eight, saved = program("eight", environment=EIGHT, **changes)
    assert "cpu:7 of 8" in finish(eight)
    np.testing.assert_allclose(history(saved), losses, atol=1e-4)
    hosts = [program("hosts", environment=each, **changes) for each in pair()]
    for process, _ in hosts:
        finish(process)
    np.testing.assert_allclose(history(hosts[0][1]), losses, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_host_is_noticed_and_the_pair_goes_on(program, killed):
    def start():
        options = {"often": True, "pretraining_steps": 200}
        return [program("lost", environment=each, **options) for each in pair()]

    (one, saved), (other, _) = start()
    until = time.monotonic() + 200
    while not saved.exists() and time.monotonic() < until:
        time.sleep(0.05)
    victim, left = (one, other)[:: -1 if killed else 1]
    victim.kill()
    printed, _ = left.communicate(timeout=60)
    assert left.returncode != 0, printed
    victim.communicate()
    printed = [finish(process) for process, _ in start()]
    assert "200 steps, 0 of them" not in printed[0]
    assert printed[0].splitlines()[-1] == printed[1].splitlines()[-1]
    # Sums in another order drift apart, over two hundred steps by more than over twenty.
    whole, alone = program("whole", pretraining_steps=200)
    finish(whole)
    np.testing.assert_allclose(history(saved), history(alone), atol=1e-2)


SPLIT = """
import helpers
backend = helpers.choose_backend("jax")
import json, sys
import keras, numpy as np
from helpers import masking, models, preprocessing, profiles, training

profile = profiles.load_profile(**json.loads(sys.argv[1]))
if sys.argv[2]:
    encoder = models.build_encoder(profile)
    exec(sys.argv[2])
    keras.distribution.set_distribution(keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False))
keras.utils.set_random_seed(0)
rows = np.random.default_rng(0).integers(5, 1500, (640, 32), dtype="int32")
frequencies = preprocessing.log_frequencies(rows, profile.vocabulary_size)
model = training.pretraining_model(profile, 20, frequencies)
batches = masking.MaskedBatches(rows, profile, 20)
plan = {"epochs": 20, "steps_per_epoch": 1, "shuffle": False, "verbose": 0}
losses = model.fit(batches, **plan).history["loss"]
split = [w.path for w in model.weights if not w.value.sharding.is_fully_replicated]
print(json.dumps([losses, split]))
"""


@pytest.mark.slow
def test_a_split_model_comes_to_the_loss_of_a_whole_one():
    """With the layouts of notebook 3."""
    (layouts,) = (
        cell.source
        for cell in nbformat.read(NOTEBOOKS[2], as_version=4).cells
        if "layout" in cell.metadata.get("tags", [])
    )
    # What is split must be a multiple of the eight devices.
    settings = json.dumps({**FEWER, "vocabulary_size": 1504})

    def train(source, **environment):
        """The losses, and the paths of the weights that are split."""
        printed = run_python("-c", SPLIT, settings, source, **environment)
        return json.loads(printed.splitlines()[-1])

    losses, whole = train("")
    found, split = train(layouts, **EIGHT)
    np.testing.assert_allclose(found, losses, atol=1e-4)
    assert not whole
    for part in "token_embedding", "query_key_value", "feedforward_output":
        assert any(part in path for path in split), split
