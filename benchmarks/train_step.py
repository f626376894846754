"""Tokens a second of the pretraining step: ours and Hugging Face's.

    python benchmarks/train_step.py

Ours runs on JAX, TensorFlow and PyTorch; `transformers.BertForMaskedLM` of the same size
runs on PyTorch, eager and compiled. Same vocabulary size, batch and number of masked
tokens; random token ids, since the text does not affect the time.
"""

import os
import sys
import time

import common
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

STEPS = 10
OURS = {"ours, JAX": "jax", "ours, TensorFlow": "tensorflow", "ours, PyTorch": "torch"}
THEIRS = ("transformers, eager", "transformers, compiled")


def useful_flops(profile):
    """The floating-point operations that a step needs.

    Two for each weight of a matrix and each token it is applied to, and twice as many in
    the backward pass; the head at the masked tokens only. Norms, activations, softmax and
    the optimizer are not counted.
    """
    tokens = profile.batch_size * profile.sequence_length
    hidden, inner = profile.hidden_dim, profile.intermediate_dim
    block = 4 * hidden**2 + 2 * hidden * inner + 2 * profile.sequence_length * hidden
    head = hidden * (hidden + profile.vocabulary_size)
    answers = profile.batch_size * profile.predictions_per_sequence
    return 6 * (tokens * profile.num_layers * block + answers * head)


def product_rate(multiply, size=2048, repeats=5):
    """GFLOP/s of a large float32 matrix product."""
    multiply()
    before = time.perf_counter()
    for _ in range(repeats):
        multiply()
    return repeats * 2 * size**3 / (time.perf_counter() - before) / 1e9


def ours():
    """Measures the series' step on the backend of this process."""
    import helpers

    backend = helpers.choose_backend()
    import keras

    from helpers import masking, normalization, packing, pretraining, profiles

    profile = profiles.load_profile("sample")
    keras.utils.set_random_seed(profile.seed)
    size, shape = profile.vocabulary_size, (4000, profile.sequence_length)
    words = len(normalization.SPECIAL_TOKENS), size
    rows = np.random.default_rng(0).integers(*words, shape, "int32")
    model = pretraining.pretraining_model(
        profile, profile.pretraining_steps, packing.log_frequencies(rows, size)
    )
    batches = masking.MaskedBatches(rows, profile, STEPS)
    square = keras.random.normal((2048, 2048))
    if backend == "jax":
        import jax

        product = jax.jit(keras.ops.matmul)
        multiply = lambda: product(square, square).block_until_ready()  # noqa: E731
    else:
        multiply = lambda: keras.ops.convert_to_numpy(keras.ops.matmul(square, square))  # noqa: E731

    def measure():
        before = time.perf_counter()
        model.fit(batches, shuffle=False, verbose=0)
        seconds = (time.perf_counter() - before) / STEPS
        return {
            "tokens/s": profile.batch_size * profile.sequence_length / seconds,
            "GFLOP/s": useful_flops(profile) / seconds / 1e9,
            "product GFLOP/s": product_rate(multiply),
        }

    return measure


def theirs(compiled):
    """Measures BertForMaskedLM's step."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    from helpers import profiles

    profile = profiles.load_profile("sample")
    torch.manual_seed(0)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=profile.vocabulary_size,
            hidden_size=profile.hidden_dim,
            num_hidden_layers=profile.num_layers,
            num_attention_heads=profile.num_heads,
            intermediate_size=profile.intermediate_dim,
            max_position_embeddings=profile.sequence_length,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    forward = torch.compile(model) if compiled else model
    shape = profile.batch_size, profile.sequence_length
    token_ids = torch.randint(5, profile.vocabulary_size, shape)
    hidden = torch.rand(shape).argsort(dim=1) < profile.predictions_per_sequence
    labels = torch.where(hidden, token_ids, -100)
    square = torch.randn(2048, 2048)

    def step():
        loss = forward(
            input_ids=token_ids, attention_mask=torch.ones_like(token_ids), labels=labels
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    def measure():
        before = time.perf_counter()
        for _ in range(STEPS):
            step()
        seconds = (time.perf_counter() - before) / STEPS
        return {
            "tokens/s": shape[0] * shape[1] / seconds,
            "GFLOP/s": useful_flops(profile) / seconds / 1e9,
            "product GFLOP/s": product_rate(lambda: square @ square),
        }

    return measure


def main():
    workers = {
        name: common.Worker(__file__, name, backend) for name, backend in OURS.items()
    }
    workers |= {name: common.Worker(__file__, name, "torch") for name in THEIRS}
    answers = common.take_turns(workers)
    slowest = answers[answers.name == THEIRS[0]].set_index("round")["tokens/s"]
    rows = {}
    for name, one in answers.groupby("name", sort=False):
        one = one.set_index("round")
        rows[name] = {
            "tokens/s": common.spread(one["tokens/s"]),
            f"times {THEIRS[0]}": common.spread(one["tokens/s"] / slowest, 2),
            "product, GFLOP/s": common.spread(one["product GFLOP/s"]),
            "share of it (%)": common.spread(100 * one["GFLOP/s"] / one["product GFLOP/s"]),
        }
    table = pd.DataFrame(rows).T
    table.index.name = "step"
    figure, axis = plt.subplots(figsize=(7.5, 2.6), layout="constrained")
    medians = answers.groupby("name", sort=False)["tokens/s"]
    middle = medians.median()
    ends = [middle - medians.min(), medians.max() - middle]
    axis.barh(middle.index, middle, xerr=ends, color="#0072B2", capsize=3)
    axis.invert_yaxis()
    axis.set_xlabel("tokens/s: median of five, with their range")
    figure.savefig(common.FOLDER / "train_step.png", dpi=110)
    common.report(
        "train_step",
        "A pretraining step",
        table,
        "Medians of five rounds in turn, with their range. The share relates a step's "
        "necessary products to the rate of one large float32 product on the same backend.",
        "",
        common.versions("keras", "jax", "tensorflow", "torch", "transformers"),
    )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] in OURS:
        common.serve(ours())
    else:
        os.environ.pop("KERAS_BACKEND", None)
        common.serve(theirs(compiled=sys.argv[1] == THEIRS[1]))
