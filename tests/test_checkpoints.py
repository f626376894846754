"""A training that is killed, interrupted or short of room, and goes on."""

import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from conftest import REPOSITORY

from helpers import checkpoints, preprocessing, profiles, results, training

# Trains, saves after every leg, and says what it came to.
PROGRAM = """
import helpers
helpers.choose_backend("jax")
import hashlib, json, sys
import keras, numpy as np
from helpers import checkpoints, preprocessing, profiles, training

folder, settings = sys.argv[1], json.loads(sys.argv[2])
profile = profiles.load_profile(**settings)
keras.utils.set_random_seed(profile.seed)
vocabulary = [*preprocessing.SPECIAL_TOKENS, *(f"w{n}" for n in range(5, 4000))]
rows = np.random.default_rng(0).integers(5, 4000, (4000, 32), dtype="int32")
frequencies = preprocessing.log_frequencies(rows, vocabulary)
steps = profile.pretraining_steps
model = training.pretraining_model(profile, steps, frequencies)
saved = checkpoints.Checkpoints(model, folder, settings, every=0.0)
checkpoints.SHARE = 1.0
done = saved.restore()
print("training", flush=True)
model.fit(
    preprocessing.MaskedBatches(rows, profile, vocabulary, steps, first=4 * done),
    initial_epoch=done, epochs=steps // 4, steps_per_epoch=4, shuffle=False,
    callbacks=[saved], verbose=0,
)
weights = b"".join(map(bytes, model.get_weights()))
print(hashlib.sha256(weights).hexdigest(), len(saved.history["loss"]))
"""

SETTINGS = {
    "vocabulary_size": 4000,
    "hidden_dim": 64,
    "intermediate_dim": 128,
    "batch_size": 8,
    "pretraining_steps": 1200,
    "dropout": 0.1,
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """An environment in which what one process compiled serves the next."""
    folder = str(tmp_path_factory.mktemp("compiled"))
    quick = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return {**os.environ, **quick, "JAX_COMPILATION_CACHE_DIR": folder}


def start(folder, environment, settings=SETTINGS, before=""):
    command = [sys.executable, "-c", before + PROGRAM, str(folder), json.dumps(settings)]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """What a process that ends well prints."""
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return printed


def partial(folder):
    return list(folder.glob(".partial-*"))


def test_killed_ten_times_it_ends_with_the_same_weights(tmp_path, compiled):
    whole = finish(start(tmp_path / "whole", compiled)).splitlines()[-1]
    rng = random.Random(0)
    folder, while_writing = tmp_path / "killed", 0
    for number in range(10):
        process = start(folder, compiled)
        for line in process.stdout:
            if line == "training\n":
                break
        if number % 2:
            # As soon as something is being written.
            until = time.monotonic() + 60
            while not partial(folder) and process.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.0002)
        else:
            time.sleep(rng.uniform(0.1, 2))
        process.kill()
        process.communicate()
        while_writing += bool(partial(folder))
    assert while_writing >= 3
    last = finish(start(folder, compiled)).splitlines()
    assert re.fullmatch(r"going on after [\d,]+ of 1,200 steps", last[-2])
    # Bit for bit, and every leg's loss was kept.
    assert last[-1] == whole
    assert not partial(folder)
    assert len(list(folder.iterdir())) == 2


def test_a_full_disk_stops_with_a_sentence_and_leaves_the_last_one(tmp_path, compiled):
    folder = tmp_path / "saved"
    settings = {**SETTINGS, "pretraining_steps": 8}
    finish(start(folder, compiled, settings))
    left = sorted(path.name for path in folder.iterdir())
    # The last one is gone, and no file may be longer than a megabyte.
    (folder / left.pop()).unlink()
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
    environment = {**compiled, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    process = start(folder, environment, settings, limit)
    _, errors = process.communicate(timeout=300)
    assert process.returncode != 0
    assert re.search(r"CheckpointError: .* can't be saved in .*: make room", errors)
    assert [path.name for path in folder.iterdir()] == left
    assert finish(start(folder, compiled, settings)).splitlines()[-1].endswith(" 2")


def small(folder, about=None):
    """A model that learns a line, and what saves it."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model, checkpoints.Checkpoints(model, folder, about or {"seed": 0}, every=0.0)


def fit(model, saved, epochs, **options):
    x = np.random.default_rng(0).normal(size=(8, 4))
    options.setdefault("callbacks", [saved])
    model.fit(
        x,
        x.sum(axis=1),
        batch_size=8,
        epochs=epochs,
        initial_epoch=saved.restore(),
        shuffle=False,
        verbose=0,
        **options,
    )
    return model.get_weights()


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 3:
            raise KeyboardInterrupt


@pytest.fixture
def at_once(monkeypatch):
    """Saves after every epoch, whatever it costs."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)


@pytest.mark.parametrize("every", [0.0, 3600.0])
def test_an_interrupted_cell_goes_on_when_it_is_run_again(tmp_path, every, capsys, at_once):
    whole = fit(*small(tmp_path / "whole"), 6)
    model, saved = small(tmp_path / "interrupted")
    saved.every = every
    with pytest.raises(KeyboardInterrupt):
        fit(model, saved, 6, callbacks=[saved, Interrupt()])
    again = fit(model, saved, 6)
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(saved.history["loss"]) == 6
    # With an hour between two saves nothing is there yet, and it begins again.
    assert ("going on after 2 of 6" in capsys.readouterr().out) == (every == 0)


def test_what_is_finished_is_not_trained_again(tmp_path):
    weights = fit(*small(tmp_path), 3)
    model, saved = small(tmp_path)
    before = saved.restore()
    again = fit(model, saved, 3)
    assert before == 3
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_settings_are_refused(tmp_path, at_once):
    fit(*small(tmp_path), 3)
    _, saved = small(tmp_path, {"seed": 1})
    with pytest.raises(checkpoints.OtherCheckpointError, match="seed was 0 and is 1"):
        saved.restore()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_one_falls_back_to_the_one_before(tmp_path, capsys, damage, at_once):
    whole = fit(*small(tmp_path / "whole"), 6)
    folder = tmp_path / "damaged"
    fit(*small(folder), 5)
    last = sorted(folder.iterdir())[-1]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    changes = {"cut": content[:-100], "changed": content, "empty": b""}
    last.write_bytes(changes[damage])
    model, saved = small(folder)
    again = fit(model, saved, 6)
    assert f"{last.name} is damaged; the one before it is taken" in capsys.readouterr().out
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_saving_takes_less_than_a_hundredth_of_the_time(
    profile, rows, vocabulary, tmp_path
):
    """Saves wait until the last one has cost a hundredth; so the cost is bounded."""
    steps = 60
    model = training.pretraining_model(
        dataclasses.replace(profile, hidden_dim=64, intermediate_dim=256),
        steps,
        preprocessing.log_frequencies(rows, vocabulary),
    )
    saved = checkpoints.Checkpoints(model, tmp_path, {}, every=0.0)
    spent, times, save = [], [], saved.save

    def measured_save():
        before = time.perf_counter()
        save()
        spent.append(time.perf_counter() - before)
        times.append(time.perf_counter())

    saved.save = measured_save
    model.fit(
        preprocessing.MaskedBatches(rows, profile, vocabulary, steps),
        epochs=steps,
        steps_per_epoch=1,
        callbacks=[saved],
        shuffle=False,
        verbose=0,
    )
    # All but the last, which comes when it must.
    for cost, before, after in zip(spent[:-2], times[:-2], times[1:-1], strict=True):
        assert cost <= 0.011 * (after - before)


def test_a_finished_notebook_leaves_no_checkpoint(artifacts, profile):
    for notebook in 3, 4:
        folder = results.checkpoints(profile, notebook, "one")
        fit(*small(folder), 1)
    results.write_record(profile, 3, {})
    assert not results.checkpoints(profile, 3).exists()
    assert results.checkpoints(profile, 4, "one").exists()


def test_an_interrupted_fine_tuning_goes_on(profile, tmp_path, monkeypatch, at_once):
    """Bit for bit: weights, dropout and the order of the sentences."""

    class Interrupted(checkpoints.Checkpoints):
        def __init__(self, *arguments):
            super().__init__(*arguments, every=0.0)

        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            if epoch == 1:
                raise KeyboardInterrupt

    profile = dataclasses.replace(profile, finetuning_batch_size=8)
    ids = np.random.default_rng(0).integers(5, 200, (90, profile.sentence_length))
    arrays = ids.astype("int32"), np.arange(90) % 2
    # 13 passes of 11 steps; the interruption comes after two of eleven legs of 13.
    whole, _ = training.train_classifier(profile, arrays, 0, 13)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "Checkpoints", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            training.train_classifier(profile, arrays, 0, 13, folder=tmp_path)
    again, seconds = training.train_classifier(profile, arrays, 0, 13, folder=tmp_path)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert seconds > 0


def test_settings_of_a_checkpoint_are_those_that_pretraining_reads(profile):
    assert "devices" in profiles.settings(profile, through=3)
    assert "repeats" not in profiles.settings(profile, through=3)
