"""scripts/pretrain.py when killed, on many devices, on two hosts, and with a split model;
and the cost of its step according to the TPU's compiler."""

import csv
import dataclasses
import importlib.metadata
import json
import os
import platform
import random
import re
import runpy
import shlex
import socket
import sys
import time

import nbformat
import numpy as np
import pytest

from conftest import EIGHT, NOTEBOOKS, REPOSITORY, finish, run_python, start_python
from helpers import packing, profiles, records, storage, wordpieces

pytestmark = pytest.mark.slow

SCRIPT = REPOSITORY / "scripts" / "pretrain.py"

# Sizes that are split over eight devices must be multiples of eight.
WIDER = {"vocabulary_size": 1504, "hidden_dim": 32, "intermediate_dim": 64}

# Runs the script, with code before and after it.
AROUND = """
import helpers, runpy, sys
helpers.choose_backend("jax")
import json, keras
from helpers import checkpoints, hardware, models, profiles
{}
model = runpy.run_path({!r})["main"]()
{}
"""
OFTEN = "checkpoints.Checkpoint.__init__.__defaults__ = (0.0,)  # after every epoch"
SPLIT = """
profile = profiles.load_profile(**json.loads(sys.argv[2]))
import math
{}
keras.distribution.set_distribution(keras.distribution.ModelParallel(
    layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False))
hardware.use_devices = lambda profile: "split"
"""
SHARDED = """
weights = model.weights
print("split", *(w.path for w in weights if not w.value.sharding.is_fully_replicated))
"""


@pytest.fixture
def pretrain(artifacts, profile, texts):
    """A function that starts the script in a new folder with the results of notebook 2:
    the process, and the path of its checkpoint."""

    def started(name, before="", after="", environment=(), **changes):
        changes = WIDER | {"pretraining_steps": 20} | changes
        asked, folder = dataclasses.replace(profile, **changes), str(artifacts / name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TUTORIAL_ARTIFACTS", folder)
            saved = records.path(asked, "pretraining.npz")
            if not saved.with_name("rows.bin").exists():
                vocabulary = wordpieces.learn_vocabulary(texts, asked)
                rows = saved.with_name("rows.bin")
                packing.store_rows(texts, vocabulary, asked, rows)
                shape = asked.vocabulary_size, asked.hidden_dim
                vectors = np.random.default_rng(0).normal(size=shape).astype("float32")
                np.save(saved.with_name("word_vectors.npy"), vectors)
                path = saved.with_name("vocabulary.txt")
                wordpieces.save_vocabulary(vocabulary, path)
                names = ["vocabulary.txt", "word_vectors.npy", "rows.bin"]
                records.write_record(asked, 2, {}, names)
        around = ["-c", AROUND.format(before, str(SCRIPT), after)]
        command = around if before or after else [SCRIPT]
        settings = json.dumps(profiles.settings(asked))
        environment = {"TUTORIAL_ARTIFACTS": folder, **dict(environment)}
        return start_python(*command, "sample", settings, **environment), saved

    return started


def state(saved):
    """The contents of a checkpoint except the time: the history, and the arrays."""
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("saved")))["history"], arrays


def assert_same_losses(saved, other, atol=1e-4):
    losses, others = (np.array(state(each)[0]["loss"]) for each in (saved, other))
    np.testing.assert_allclose(losses, others, atol=atol)


def test_killed_three_times_it_ends_with_the_same_weights(pretrain):
    # Dropout and the order of batches are resumed, too.
    options = {"before": OFTEN, "dropout": 0.1, "pretraining_steps": 1000}
    process, whole = pretrain("whole", **options)
    finish(process)
    rng, writing, killed = random.Random(0), 0, 0
    while killed < 3 or not writing:
        process, saved = pretrain("killed", **options)
        left, until = {*storage.unfinished(saved)}, time.monotonic() + 60
        # Kill it as soon as it writes, or some time later.
        while not {*storage.unfinished(saved)} - left:
            assert time.monotonic() < until
            time.sleep(0.0002)
        time.sleep(rng.uniform(0, 2) if killed % 2 else 0)
        assert process.poll() is None, "it had ended"
        process.kill()
        process.communicate()
        writing += bool({*storage.unfinished(saved)} - left)
        killed += 1
    for partial in storage.unfinished(saved):
        os.utime(partial, (0, 0))  # as if it had been left hours ago
    process, saved = pretrain("killed", **options)
    assert ", 0 of them done before" not in finish(process)
    # Bit for bit, with the history of all losses
    np.testing.assert_equal(state(saved), state(whole))
    assert not storage.unfinished(saved)


def test_the_documented_command_asks_for_the_results_of_notebook_2(artifacts):
    (command,) = re.findall(r"^    python (.*full.*)", SCRIPT.read_text("utf-8"), re.M)
    process = start_python(*shlex.split(command))
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert re.fullmatch(r"Notebook 02\w+ has no .* with the profile `full` .*\n", printed)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "profile `sample`"),
        (["full"], "profile `full`"),
        (["ful"], "Did you mean `full`?"),
        (["full", '{"sed": 1}'], "Did you mean `seed`?"),
        (["full", '{"seed": "one"}'], "`seed` is 'one': give int"),
        (["full", "{seed: 1}"], "write it as in"),
        (["full", "[1]"], "write it as in"),
    ],
)
def test_the_command_line_is_read(artifacts, monkeypatch, capsys, arguments, reason):
    monkeypatch.setattr(sys, "argv", ["pretrain.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT))["main"]()
    assert ended.value.code in (1, 2)
    assert reason in capsys.readouterr().err


def hosts():
    """The environments of two processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for number in "01":
        both = {"JOB_ADDRESSES": address, "NUM_PROCESSES": "2", "PROCESS_ID": number}
        yield {f"KERAS_DISTRIBUTION_{name}": value for name, value in both.items()}


@pytest.mark.parametrize(
    "changes", [{}, {"encoder": "classic", "optimizer": "adamw"}], ids=["rotary", "classic"]
)
def test_many_devices_and_two_hosts_come_to_the_loss_of_one(pretrain, changes):
    process, alone = pretrain("alone", **changes)
    assert finish(process).endswith("20 steps, 0 of them done before\n")
    process, eight = pretrain("eight", environment=EIGHT, **changes)
    assert "cpu:7 of 8" in finish(process)
    assert_same_losses(eight, alone)
    pair = [pretrain("hosts", environment=each, **changes) for each in hosts()]
    for process, _ in pair:
        finish(process)
    assert_same_losses(pair[0][1], alone)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_host_is_noticed_and_the_pair_goes_on(pretrain, killed):
    def start():
        options = {"before": OFTEN, "pretraining_steps": 200}
        return [pretrain("lost", environment=each, **options) for each in hosts()]

    pair = start()
    saved, until = pair[0][1], time.monotonic() + 200
    while not saved.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    pair[killed][0].kill()
    printed, _ = pair[1 - killed][0].communicate(timeout=60)
    assert pair[1 - killed][0].returncode != 0, printed
    pair[killed][0].communicate()
    for process, _ in start():
        assert "200 steps, 0 of them" not in finish(process)
    # Rounding differences grow with the number of steps.
    process, whole = pretrain("whole", pretraining_steps=200)
    finish(process)
    assert_same_losses(saved, whole, atol=1e-2)


def test_a_split_model_comes_to_the_loss_of_a_whole_one(pretrain):
    """With the layouts of notebook 6."""
    cells = nbformat.read(NOTEBOOKS[5], as_version=4).cells
    (cell,) = (cell for cell in cells if "layout" in cell.metadata.get("tags", []))
    process, alone = pretrain("alone")
    finish(process)
    before = SPLIT.format(cell.source)
    process, split = pretrain("split", before, SHARDED, EIGHT)
    printed = finish(process).splitlines()[-1]
    for part in "token_embedding", "query", "key", "value", "feedforward_output":
        assert f"{part}/" in printed
    assert_same_losses(split, alone)


COUNT = """
import json, tpu
print(json.dumps(tpu.count("full", "pretraining", "v5e", 1, "batch")))
"""


@pytest.mark.weekly
@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="the TPU's compiler is for Linux on x86-64",
)
def test_a_step_on_a_tpu_has_not_grown(tmp_path):
    """Compares the step of `full` with benchmarks/tpu.csv. The tolerances allow for changes
    in what stays in fast memory, but not for another pass over the logits (0.25 GB)."""
    wanted = "\n".join(importlib.metadata.requires("jax"))
    libtpu = re.search(r"libtpu==[\d.*]+", wanted)[0]  # the version for this JAX
    # Outside the environment: with libtpu installed, JAX looks for a TPU.
    run_python("-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path, libtpu)
    folders = tmp_path, REPOSITORY / "benchmarks", REPOSITORY
    environment = {"PYTHONPATH": ":".join(map(str, folders))}
    printed = run_python("-c", COUNT, **environment)
    found = json.loads(printed.splitlines()[-1])
    rows = csv.DictReader((REPOSITORY / "benchmarks" / "tpu.csv").open(encoding="utf-8"))
    keys = ["full", "pretraining", "v5e", "1", "batch"]
    known = next(row for row in rows if [*row.values()][:5] == keys)
    assert found["GB of traffic"] < 1.07 * float(known["GB of traffic"])
    assert found["GB held"] < 1.1 * float(known["GB held"])
    assert found["MB exchanged"] == 0
