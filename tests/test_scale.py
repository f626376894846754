"""scripts/pretrain.py when killed, on many devices, on two hosts, and with a split model:
it comes to the same result."""

import dataclasses
import json
import os
import re
import runpy
import shlex
import signal
import socket
import sys

import nbformat
import numpy as np
import pytest

from conftest import EIGHT, NOTEBOOKS, REPOSITORY, finish, start_python
from helpers import kerashub, models, packing, profiles, records, storage, wordpieces

pytestmark = pytest.mark.slow

SCRIPT = REPOSITORY / "scripts" / "pretrain.py"

# Sizes that are split over eight devices must be multiples of eight.
WIDER = {"vocabulary_size": 1504, "hidden_dim": 32, "intermediate_dim": 64}

# Runs the script, with code before and after it.
AROUND = """
import helpers
helpers.choose_backend("jax")
import json, keras, os, runpy, signal, sys
from helpers import checkpoints, hardware, pretraining, profiles
{}
model = runpy.run_path({!r})["main"]()
{}
"""
OFTEN = "checkpoints.Checkpoint.__init__.__defaults__ = (0.0,)  # after every epoch\n"
# Kills the process when it has written its third checkpoint, but not yet put in place.
WHILE_WRITING = """
fsync, saves = os.fsync, []

def kill_at_third(file):
    saves.append(file)
    if len(saves) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(file)

os.fsync = kill_at_third
"""
# Kills the process in the 31st step.
WHILE_TRAINING = """
steps, update = [], pretraining.Progress.on_train_batch_end

def kill_at_31st(progress, batch, logs=None):
    steps.append(batch)
    if len(steps) == 31:
        os.kill(os.getpid(), signal.SIGKILL)
    update(progress, batch, logs)

pretraining.Progress.on_train_batch_end = kill_at_31st
"""
SPLIT = """
profile = profiles.load_profile(**json.loads(sys.argv[2]))
import math
{}
keras.distribution.set_distribution(keras.distribution.ModelParallel(
    layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False))
hardware.use_devices = lambda profile: "split"
"""
SHARDED = """
for weight in model.weights:
    if not weight.value.sharding.is_fully_replicated:
        print("split", weight.path)
"""


def prepare(asked, texts):
    """Writes what notebook 2 would hand on."""
    vocabulary = wordpieces.learn_vocabulary(texts, asked)
    wordpieces.save_vocabulary(vocabulary, records.path(asked, "vocabulary.txt"))
    packing.store_rows(texts, vocabulary, asked, records.path(asked, "rows.bin"))
    vectors = np.random.default_rng(0).normal(size=(len(vocabulary), asked.hidden_dim))
    np.save(records.path(asked, "word_vectors.npy"), vectors.astype("float32"))
    records.write_record(asked, 2, {}, ["vocabulary.txt", "word_vectors.npy", "rows.bin"])


@pytest.fixture
def pretrain(tmp_path, monkeypatch, profile, texts):
    """A function that starts the script, in a new folder with the results of notebook 2:
    the process, and the path of its checkpoint."""

    def start(name, before="", after="", environment=None, more=(), **changes):
        changes = WIDER | {"pretraining_steps": 20} | changes
        asked = dataclasses.replace(profile, **changes)
        monkeypatch.setenv("TUTORIAL_ARTIFACTS", str(tmp_path / name))
        saved = records.path(asked, "pretraining.npz")
        if not saved.with_name("rows.bin").exists():
            prepare(asked, texts)
        command = [SCRIPT]
        if before or after:
            command = ["-c", AROUND.format(before, str(SCRIPT), after)]
        settings = json.dumps(profiles.settings(asked))
        process = start_python(*command, "sample", settings, *more, **(environment or {}))
        return process, saved

    return start


def state(saved):
    """The contents of a checkpoint except the time: the history, and the arrays."""
    with np.load(saved) as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop("saved")))["history"], arrays


def assert_same_losses(saved, other, atol=1e-4):
    history, _ = state(saved)
    other_history, _ = state(other)
    np.testing.assert_allclose(history["loss"], other_history["loss"], atol=atol)


def test_killed_twice_it_ends_with_the_same_weights(pretrain):
    # Dropout and the order of batches are resumed, too.
    options = {"dropout": 0.1, "pretraining_steps": 200}
    process, whole = pretrain("whole", OFTEN, **options)
    finish(process)
    for kill in WHILE_WRITING, WHILE_TRAINING:
        process, saved = pretrain("killed", OFTEN + kill, **options)
        printed, _ = process.communicate(timeout=600)
        assert process.returncode == -signal.SIGKILL, printed
        assert saved.exists()
    (partial,) = storage.unfinished(saved)
    os.utime(partial, (0, 0))  # as if it had been left hours ago
    process, saved = pretrain("killed", OFTEN, **options)
    # Two epochs of two steps before the first kill, fifteen before the second
    assert finish(process).endswith("200 steps, 34 of them done before\n")
    # Bit for bit, with the history of all losses
    np.testing.assert_equal(state(saved), state(whole))
    assert not storage.unfinished(saved)


@pytest.fixture
def call(monkeypatch):
    """A function that runs a program of scripts/ in this process."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(SCRIPT.with_name(name)))["main"]()

    return call


def test_kept_weights_become_a_preset(pretrain, profile, call, capsys):
    process, saved = pretrain("kept", more=["--keep", 7])
    finish(process)
    asked = dataclasses.replace(profile, **WIDER, pretraining_steps=20)
    settings = json.dumps(profiles.settings(asked))
    folder = saved.with_name("preset")
    call("share.py", "sample", folder, "--step", 7, "--settings", settings)
    shared = kerashub.MaskedLM.from_preset(str(folder), dtype="float32", compile=False)
    trained = kerashub.MaskedLM(models.build_encoder(asked), compile=False)
    trained.load_weights(saved.with_name("pretraining-7.weights.h5"))
    for ours, theirs in zip(trained.get_weights(), shared.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    assert "after 7 steps" in (folder / "README.md").read_text()
    with pytest.raises(SystemExit):
        call("share.py", "sample", folder, "--step", 8, "--settings", settings)
    assert "there is no pretraining-8.weights.h5" in capsys.readouterr().err


(DOCUMENTED,) = re.findall(r"^    python \S+ (.*full.*)", SCRIPT.read_text("utf-8"), re.M)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "with the profile `sample`"),
        (DOCUMENTED, "with the profile `full`"),
        ("ful", "Did you mean `full`?"),
        ('full \'{"seed": "one"}\'', "`seed` is 'one': give int"),
        ("full '{seed: 1}'", "write it as in"),
    ],
)
def test_the_command_line_is_read(artifacts, call, capsys, arguments, reason):
    """With no results of notebook 2."""
    with pytest.raises(SystemExit):
        call("pretrain.py", *shlex.split(arguments))
    assert reason in capsys.readouterr().err.splitlines()[-1]


def hosts():
    """The environments of two processes that train together."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    shared = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": address}
    shared["KERAS_DISTRIBUTION_NUM_PROCESSES"] = "2"
    return [shared | {"KERAS_DISTRIBUTION_PROCESS_ID": number} for number in "01"]


@pytest.mark.parametrize(
    "changes", [{}, {"encoder": "classic", "optimizer": "adamw"}], ids=["rotary", "classic"]
)
def test_many_devices_and_two_hosts_come_to_the_loss_of_one(pretrain, changes):
    process, alone = pretrain("alone", **changes)
    assert finish(process).endswith("20 steps, 0 of them done before\n")
    process, eight = pretrain("eight", environment=EIGHT, **changes)
    assert "cpu:7 of 8" in finish(process)
    assert_same_losses(eight, alone)
    pair = [pretrain("hosts", environment=host, **changes) for host in hosts()]
    for process, _ in pair:
        finish(process)
    _, together = pair[0]
    assert_same_losses(together, alone)


def test_a_lost_host_is_noticed_and_the_pair_goes_on(pretrain):
    steps = {"pretraining_steps": 200}
    process, whole = pretrain("whole", **steps)
    finish(process)
    for lost in 0, 1:
        name = f"lost {lost}"
        pair = []
        for number, host in enumerate(hosts()):
            before = OFTEN + WHILE_TRAINING * (number == lost)
            pair.append(pretrain(name, before, environment=host, **steps))
        for number, (process, _) in enumerate(pair):
            printed, _ = process.communicate(timeout=300)
            assert process.returncode != 0, printed
            assert (process.returncode == -signal.SIGKILL) == (number == lost), printed
        pair = [pretrain(name, OFTEN, environment=host, **steps) for host in hosts()]
        for process, _ in pair:
            assert "200 steps, 0 of them" not in finish(process)
        _, resumed = pair[0]
        # Rounding differences grow with the number of steps.
        assert_same_losses(resumed, whole, atol=1e-2)


def test_a_split_model_comes_to_the_loss_of_a_whole_one(pretrain):
    """With the layouts of notebook 7."""
    cells = nbformat.read(NOTEBOOKS[6], as_version=4).cells
    (cell,) = [cell for cell in cells if "layout" in cell.metadata.get("tags", [])]
    process, alone = pretrain("alone")
    finish(process)
    process, split = pretrain("split", SPLIT.format(cell.source), SHARDED, EIGHT)
    printed = finish(process)
    for part in "token_embedding", "query", "key", "value", "feedforward_output":
        assert re.search(rf"^split .*{part}/", printed, re.MULTILINE)
    assert_same_losses(split, alone)
