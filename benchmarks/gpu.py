"""The cost of the pretraining steps of `guide` and `full` on a GPU, as compiled by XLA.

    pip install --no-deps --target build/cuda jax-cuda12-plugin==0.10.2 \\
        jax-cuda12-pjrt==0.10.2 nvidia-cuda-nvcc-cu12  # Linux on x86-64, beside that JAX
    PYTHONPATH=build/cuda python benchmarks/gpu.py

Compiles for two NVIDIA cards, down to machine code, without a GPU: the compiler is given a
description of the card. Writes `gpu.csv`, and the table in README.md.

On a real card the compiler also times several kernels for each product, and may choose
others, with other needs of memory.
"""

import collections
import math
import re

import common
import pandas as pd
import tpu  # chooses the backend

# isort: split
import keras
from jax.experimental import topologies

from helpers import profiles

# Fields of XLA's `GpuTargetConfigProto`: sizes in bytes, bandwidth in bytes a second. The
# first ones are the same for both cards.
BOTH = """
    platform_name: "CUDA" dnn_version_info { major: 9 } gpu_device_info {
    threads_per_warp: 32 threads_per_block_limit: 1024 fpus_per_core: 64
    block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
    registers_per_core_limit: 65536 registers_per_block_limit: 65536
    shared_memory_per_block: 49152
"""
CARDS = {
    "T4": """
        cuda_compute_capability { major: 7 minor: 5 } core_count: 40
        threads_per_core_limit: 1024 clock_rate_ghz: 1.59 l2_cache_size: 4194304
        shared_memory_per_core: 65536 shared_memory_per_block_optin: 65536
        memory_bandwidth: 320000000000 device_memory_size: 15800000000
    """,
    "A100": """
        cuda_compute_capability { major: 8 minor: 0 } core_count: 108
        threads_per_core_limit: 2048 clock_rate_ghz: 1.41 l2_cache_size: 41943040
        shared_memory_per_core: 167936 shared_memory_per_block_optin: 166912
        memory_bandwidth: 1555000000000 device_memory_size: 42500000000
    """,
}
# Operations that use the host. (A callback can't be lowered without a GPU.)
HOST = re.compile("callback|annotate_device_placement|_host|infeed|outfeed|send|recv")
KERNEL = re.compile(r'custom_call_target="([^"]*)"|"kind":"(__triton[^"]*)"')


def card(name):
    """A JAX device for compiling only."""
    config = f'device_description_str: "{name}" {BOTH} {CARDS[name]} }}'
    options = {"target_config": config, "topology": "1x1x1"}
    return topologies.get_topology_desc("", "cuda", **options).devices[0]


def arrays(text):
    """The arrays in a text, as `(type, sides)`."""
    found = []
    for kind, sides, _ in tpu.ARRAY.findall(text):
        found.append((kind, tuple(int(side) for side in sides.split(",") if side)))
    return found


def instructions(text):
    """Yields each instruction of a compiled program: whether it is outside a fusion, its
    kind, the arrays of its outputs and inputs, and the kernel that it calls, or ""."""
    shapes = {}
    alone = False
    for line in text.splitlines():
        alone = alone or line.startswith("ENTRY")
        instruction = tpu.INSTRUCTION.match(line)
        if not instruction:
            continue
        name, output, kind, rest = instruction.groups()
        shapes[name] = arrays(output)
        inputs = []
        for input_name in re.findall(r"%([\w.-]+)", rest.partition("), ")[0]):
            inputs += shapes.get(input_name, [])
        called = KERNEL.search(line)
        kernel = called[1] or called[2] or "" if called else ""
        yield alone, kind, shapes[name], inputs, kernel


def contents(text, profile):
    """Counts the products and the uses of logits in a compiled program: a dict."""
    size = profile.batch_size * profile.predictions_per_sequence * profile.vocabulary_size
    square = (profile.sequence_length, profile.sequence_length)
    names = "products", "of attention", "of the head", "kernels called"
    names += "logits written", "logits read"
    counts = {name: collections.Counter() for name in names}
    for alone, kind, outputs, inputs, kernel in instructions(text):
        # Padded logits are larger.
        written = [dtype for dtype, sides in outputs if math.prod(sides) >= size]
        read = [dtype for dtype, sides in inputs if math.prod(sides) >= size]
        if kernel:
            counts["kernels called"][kernel] += 1
        if alone and kind not in tpu.FREE:
            counts["logits written"].update(written)
            counts["logits read"].update(read)
        if kind == "dot" or "cublas" in kernel:
            types = "/".join(sorted({dtype for dtype, _ in inputs[:2]}))
            counts["products"][types] += 1
            if written or read:
                counts["of the head"][types] += 1
            if any(sides[-2:] == square for _, sides in inputs[:2] + outputs[:1]):
                counts["of attention"][types] += 1
    row = {}
    for name, counter in counts.items():
        parts = [f"{count} {key}" for key, count in sorted(counter.items())]
        row[name] = ", ".join(parts) or "none"
    return row | {"float64 arrays": len(re.findall(r"\bf64\[\d", text))}


def count(profile, name):
    """The cost of a profile's pretraining step on a card: a dict."""
    numbers = re.search(r"major: (\d+).*memory_size: (\d+)", CARDS[name], re.DOTALL)
    capability, size = map(int, numbers.groups())
    # As in `hardware.use_devices`
    precision = profile.precision if capability >= 8 else "float32"
    keras.config.set_dtype_policy(precision.replace("bfloat16", "mixed_bfloat16"))
    model, batch = tpu.pretraining_step(profile)
    lowered = tpu.lower_step(model, batch, True, [card(name)], "cuda")
    compiled = lowered.compile()
    needs = compiled.memory_analysis()
    return {
        "profile": profile.name,
        "card": name,
        "precision": precision,
        "GB of arguments": needs.argument_size_in_bytes / 1e9,
        "GB temporary": needs.temp_size_in_bytes / 1e9,
        "GB held": tpu.held(needs) / 1e9,
        "GB of the card": size / 1e9,
        **contents(compiled.as_text(), profile),
        "uses of the host": len(HOST.findall(lowered.as_text() + compiled.as_text())),
    }


if __name__ == "__main__":
    rows = []
    for profile_name in "guide", "full":
        for name in CARDS:
            rows.append(count(profiles.load_profile(profile_name), name))
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.round(4).to_csv(common.FOLDER / "gpu.csv", index=False)
    shown = table.drop(columns=["GB of arguments", "GB temporary", "kernels called"])
    common.replace_table("On a GPU", shown, floatfmt=",.1f")
