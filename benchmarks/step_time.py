"""What a pretraining step of `sample` spends its time on, by JAX's profiler.

    python benchmarks/step_time.py

Adds up what the threads of XLA spend on each operation, and divides it by the number of
cores. What is left of a step are threads that wait, and work that the profiler doesn't
attribute to an operation, such as parts of products on other threads. Random tokens,
because the text doesn't affect the time. Writes `step_time.md`.
"""

import os
import pathlib
import re
import tempfile
import time

import common
import pandas as pd
import train_step

import helpers

helpers.choose_backend("jax")

import jax

from helpers import masking, profiles

STEPS = 20
ROUNDS = 3
# What an operation is for, by the first of these that is found in its name.
PURPOSES = {
    "Muon: products": r"muon/dot_general",
    "Muon and Adam: the rest": r"muon/",
    "head: products": r"head\)*/(token_embedding|intermediate_dense)/dot_general",
    "norms": r"norm",
    "blocks: products with weights": r"block_\d+\)*/\w+/dot_general",
    "blocks: attention and all else": r"block_\d+",
    "embedding: lookup and its gradient": r"token_embedding|take_along_axis|gather",
    "logits: loss, accuracy, gradients": r"compile_loss|head|accuracy|^\w+$",
}
NOTE = """\
Milliseconds of a step, medians of three rounds of twenty. *All products, alone* is what the
products of the model would take at the rate of one large product; Muon's come on top."""


def compiled_step(profile):
    """The compiled training step, its state, and a batch."""
    model, rows = train_step.build_ours(profile)
    batch = masking.MaskedBatches(rows, profile, 1)[0]
    model._symbolic_build(data_batch=batch)
    model.optimizer.build(model.trainable_variables)
    state = (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        [variable.value for variable in model.optimizer.variables],
        [variable.value for variable in model.metrics_variables],
    )
    step = jax.jit(model.train_step, donate_argnums=0)
    return step.lower(state, batch).compile(), state, batch


def purposes_by_instruction(program):
    """For each instruction of a compiled program, what it is for."""
    found = {}
    for name, operation in re.findall(r"%([\w.-]+) = .*op_name=\"([^\"]*)\"", program):
        operation = operation.removeprefix("jit(train_step)/")
        for purpose, pattern in PURPOSES.items():
            if re.search(pattern, operation):
                found[name] = purpose
                break
    return found


def time_of_purposes(folder, purposes):
    """Milliseconds a step and core for each purpose, from the profile in a folder."""
    (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
    spent = dict.fromkeys([*PURPOSES, "other"], 0.0)
    for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            for event in line.events:
                if "hlo_op" in dict(event.stats):
                    purpose = purposes.get(event.name, "other")
                    spent[purpose] += event.duration_ns / 1e6 / STEPS
    return pd.Series(spent) / os.cpu_count()


def take_steps(compiled, state, batch):
    """Takes `STEPS` steps, and waits for them: the new state."""
    for _ in range(STEPS):
        _, state = compiled(state, batch)
    return jax.block_until_ready(state)


def main():
    profile = profiles.load_profile()
    compiled, state, batch = compiled_step(profile)
    purposes = purposes_by_instruction(compiled.as_text())
    state = take_steps(compiled, state, batch)
    square = jax.random.normal(jax.random.key(0), (2048, 2048))
    product = jax.jit(jax.numpy.matmul)

    def multiply():
        return product(square, square).block_until_ready()

    rounds = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        state = take_steps(compiled, state, batch)
        whole = 1000 * (time.perf_counter() - before) / STEPS
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder):
                state = take_steps(compiled, state, batch)
            spent = time_of_purposes(folder, purposes)
        spent["not attributed"] = whole - spent.sum()
        spent["a whole step, not profiled"] = whole
        rate = train_step.product_rate(multiply)
        spent["all products, alone"] = train_step.useful_flops(profile) / rate / 1e6
        rounds.append(spent)
    medians = pd.DataFrame(rounds).median()
    rows = {name: {"ms": value} for name, value in medians.items()}
    title = "What a step spends its time on"
    common.report("step_time", title, rows, NOTE, "keras", "jax")


if __name__ == "__main__":
    main()
