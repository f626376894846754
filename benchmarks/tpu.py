"""The cost of the steps of `guide` and `full` on a TPU, as its own compiler reports it.

    pip install "libtpu==0.0.42.*"  # Linux on x86-64; no TPU is needed
    python benchmarks/tpu.py

Compiles every phase for chips of three generations: for one chip, for four that share a
batch, and for four in pairs that share the weights. Writes `tpu.csv`, whose rows are not
compiled again, and a part of it into README.md, which says how far to trust it.
"""

import dataclasses
import itertools
import math
import os
import re

# Otherwise the compiler looks for a TPU, and asks Google Cloud about it.
os.environ |= {"JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1"}
os.environ |= {"TPU_WORKER_HOSTNAMES": "localhost", "TPU_WORKER_ID": "0"}

import common
import pandas as pd

import helpers

helpers.choose_backend("jax")

import jax
import keras
import numpy as np
from jax.experimental import topologies

from helpers import finetuning, masking, models, pretraining, profiles

# Topology; bfloat16 operations and bytes of memory traffic a second, as stated by Google
CHIPS = {
    "v5e": ("v5e:2x2", 197e12, 819e9),
    "v6e": ("v6e:2x2", 918e12, 1638e9),
    "v5p": ("v5p:2x2x1", 459e12, 2765e9),
}
BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}
ARRAY = re.compile(r"\b(\w+)\[([\d,]*)\](\{[^}]*\})?")
INSTRUCTION = re.compile(r"\s*(?:ROOT )?%?([\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*)")
EXCHANGE = re.compile(r"(all-reduce|all-gather|reduce-scatter|all-to-all)(-start)?")
# These move nothing, or are counted where they end.
FREE = {"parameter", "tuple", "get-tuple-element", "bitcast", "constant"}
FREE |= {"copy-start", "slice-start", "async-start"}
FIGURES = common.FOLDER / "tpu.csv"
KEYS = ["profile", "phase", "chip", "chips", "shared"]


def pretraining_step(profile):
    """The model of notebook 3, and a batch for it."""
    frequencies = np.zeros(profile.vocabulary_size, "float32")
    model = pretraining.pretraining_model(profile, profile.pretraining_steps, frequencies)
    rows = np.full((profile.batch_size, profile.sequence_length), 1000)
    return model, masking.MaskedBatches(rows, profile, steps=1)[0]


def finetuning_step(profile):
    """The classifier of notebook 5, with two classes, and a batch for it."""
    encoder = models.build_encoder(profile)
    model = models.build_classifier(encoder, 2, finetuning.FINETUNING_DROPOUT)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = dataclasses.replace(profile, optimizer="adamw")
    optimizer = pretraining.pretraining_optimizer(optimizer, profile.pretraining_steps)
    model.compile(optimizer, loss, metrics=["accuracy"])
    sentences = finetuning.FINETUNING_BATCH_SIZE
    token_ids = np.ones((sentences, profile.sentence_lengths[-1]), "int32")
    return model, (token_ids, np.ones(sentences, "int32"))


PHASES = {
    "pretraining": (pretraining_step, True),
    "measuring": (pretraining_step, False),
    "fine-tuning": (finetuning_step, True),
}
# The order of the table's rows
ORDER = ["full", "guide", *PHASES, *CHIPS, 1, 4, "batch", "weights"]


def layouts():
    """The layouts of notebook 7: the axes of the matrices that devices share."""
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "model"), ["cpu:0"])
    shared = keras.distribution.LayoutMap(mesh)
    shared["token_embedding/embeddings"] = ("model", None)
    shared[".*(query|key|value|feedforward_intermediate)/kernel"] = (None, "model")
    shared[".*feedforward_intermediate/bias"] = ("model",)
    shared[".*block_.*(attention_output|feedforward_output)/kernel"] = ("model", None)
    return shared


def lower_step(model, batch, train, devices, platform="tpu", layouts=None):
    """Lowers a step for devices that share the batch. With a `LayoutMap`, pairs of them
    also share the weights and the optimizer's state."""
    model._symbolic_build(data_batch=batch)
    model.optimizer.build(model.trainable_variables)
    mesh = jax.sharding.Mesh(np.reshape(devices, -1), ("batch",))
    shared_axes = {}
    if layouts:
        # BERT's vocabulary size is even, but no multiple of 4.
        mesh = jax.sharding.Mesh(np.reshape(devices, (-1, 2)), ("batch", "model"))
        for variable in model.variables:
            if layout := layouts[variable.path]:
                shared_axes[variable.path.replace("/", "_")] = layout.axes

    def spec(array, *axes):
        sharding = jax.sharding.NamedSharding(mesh, jax.P(*axes))
        return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)

    def weight_spec(variable):
        # The optimizer's variables are named after the model's.
        for name, axes in shared_axes.items():
            if name in variable.path.replace("/", "_"):
                return spec(variable.value, *axes)
        return spec(variable.value)

    kinds = [model.trainable_variables, model.non_trainable_variables]
    kinds += [model.optimizer.variables] if train else []
    kinds += [model.metrics_variables]
    state = [[weight_spec(variable) for variable in kind] for kind in kinds]
    data = jax.tree.map(lambda array: spec(array, "batch"), batch)
    step = jax.jit(model.train_step if train else model.test_step, donate_argnums=0)
    return step.trace(state, data).lower(lowering_platforms=(platform,))


def size(shapes, fast=True):
    """Bytes of the arrays in a text, with or without those in fast memory, which the
    compiler calls space 1."""
    total = 0
    for kind, sides, layout in ARRAY.findall(shapes):
        if fast or "S(1)" not in layout:
            count = math.prod(int(side) for side in sides.split(",") if side)
            total += BYTES.get(kind, 0) * count
    return total


def traffic(text):
    """Bytes that a compiled program reads from and writes to a chip's main memory, and
    bytes that it exchanges with other chips."""
    shapes = {}
    main = 0
    exchanged = 0
    for line in text[text.index("\nENTRY") :].splitlines():
        instruction = INSTRUCTION.match(line)
        if not instruction:
            continue
        name, output, kind, rest = instruction.groups()
        shapes[name] = output
        if kind.endswith("-done"):
            main += size(output)  # from or to main memory
        elif kind not in FREE:
            main += size(output, fast=False)
            for input_name in re.findall(r"%([\w.-]+)", rest.partition("), ")[0]):
                main += size(shapes.get(input_name, ""), fast=False)
        if EXCHANGE.fullmatch(kind):
            exchanged += size(output)
    return main, exchanged


def held(needs):
    """The bytes that a program needs in memory at once."""
    inputs_and_between = needs.argument_size_in_bytes + needs.temp_size_in_bytes
    return inputs_and_between + needs.output_size_in_bytes - needs.alias_size_in_bytes


def count(name, phase, chip, devices, shared):
    """The cost of a phase of a profile on each of some chips: a dict."""
    profile = profiles.load_profile(name)
    policy = profile.precision.replace("bfloat16", "mixed_bfloat16")
    keras.config.set_dtype_policy(policy)
    build, train = PHASES[phase]
    model, batch = build(profile)
    topology, operations, memory = CHIPS[chip]
    chips = topologies.get_topology_desc(topology, "tpu").devices[:devices]
    shared_weights = layouts() if shared == "weights" else None
    lowered = lower_step(model, batch, train, chips, layouts=shared_weights)
    compiled = lowered.compile()
    costs = compiled.cost_analysis()
    main, exchanged = traffic(compiled.as_text())
    return {
        "GFLOP": costs["flops"] / 1e9,
        "GB counted": costs["bytes accessed"] / 1e9,
        "GB of traffic": main / 1e9,
        "GB held": held(compiled.memory_analysis()) / 1e9,
        "MB exchanged": exchanged / 1e6,
        "ms of products": 1000 * costs["flops"] / operations,
        "ms of traffic": 1000 * main / memory,
    }


def configurations():
    """What to compile: profile, phase, chip, number of chips, what they share."""
    wanted = [("full", "pretraining", chip, 4, "weights") for chip in CHIPS]
    for name, chip, devices, phase in itertools.product(
        ("full", "guide"), CHIPS, (1, 4), PHASES
    ):
        wanted.append((name, phase, chip, devices, "batch"))
    return wanted


def main():
    table = pd.read_csv(FIGURES) if FIGURES.exists() else pd.DataFrame(columns=KEYS)
    made = set(table[KEYS].itertuples(index=False, name=None))
    for wanted in configurations():
        if wanted not in made:
            row = dict(zip(KEYS, wanted, strict=True)) | count(*wanted)
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
            table.round(3).to_csv(FIGURES, index=False)
            print(row, flush=True)
    table = table.sort_values(KEYS, key=lambda column: column.map(ORDER.index))
    shown = table[(table.phase == "pretraining") | (table.chip == "v5e")]
    common.replace_table("On a TPU", shown, floatfmt=",.2f")


if __name__ == "__main__":
    main()
