"""Tokens a second of the pretraining step: ours and Hugging Face's.

    python benchmarks/train_step.py

Ours runs on JAX, TensorFlow and PyTorch; `transformers.BertForMaskedLM`, and
`ModernBertForMaskedLM` with `sparse_prediction`, which also scores masked tokens only, run
on PyTorch, eager and compiled. Same vocabulary size, batch, width, depth and number of
masked tokens; random token ids, since the text does not affect the time.
"""

import os
import sys
import time

import common
import numpy as np

STEPS = 10
OURS = {"ours, JAX": "jax", "ours, TensorFlow": "tensorflow", "ours, PyTorch": "torch"}
EAGER = "BertForMaskedLM, eager"
THEIRS = [EAGER, "BertForMaskedLM, compiled"]
THEIRS += ["ModernBertForMaskedLM, eager", "ModernBertForMaskedLM, compiled"]
NOTE = """\
Medians of five rounds in turn, with their range. The share relates a step's necessary
products to the rate of one large float32 product on the same backend."""


def useful_flops(profile):
    """The floating-point operations that a step needs.

    Two for each weight of a matrix and each token it is applied to, and twice as many in
    the backward pass; in the last block, all but queries, keys and values at the masked
    tokens only, and so the head. Norms, activations, softmax and the optimizer are not
    counted.
    """
    length = profile.sequence_length
    hidden = profile.hidden_dim
    masked = profile.batch_size * profile.predictions_per_sequence
    tokens = profile.batch_size * length * profile.num_layers
    computed = tokens - profile.batch_size * length + masked
    inputs = 3 * hidden**2
    others = hidden**2 + 2 * hidden * profile.intermediate_dim + 2 * length * hidden
    head = hidden * (hidden + profile.vocabulary_size)
    return 6 * (tokens * inputs + computed * others + masked * head)


def product_rate(multiply, size=2048, repeats=5):
    """GFLOP/s of a large float32 matrix product."""
    multiply()
    before = time.perf_counter()
    for _ in range(repeats):
        multiply()
    return repeats * 2 * size**3 / (time.perf_counter() - before) / 1e9


def serve(profile, take_steps, multiply):
    """Measures on request `STEPS` steps, and a large product."""

    def measure():
        before = time.perf_counter()
        take_steps()
        seconds = (time.perf_counter() - before) / STEPS
        return {
            "tokens/s": profile.batch_size * profile.sequence_length / seconds,
            "GFLOP/s": useful_flops(profile) / seconds / 1e9,
            "product GFLOP/s": product_rate(multiply),
        }

    common.serve(measure)


def build_ours(profile):
    """The series' pretraining model, compiled, and random rows for it; the backend has been
    chosen."""
    import keras

    from helpers import normalization, packing, pretraining

    keras.utils.set_random_seed(profile.seed)
    size, shape = profile.vocabulary_size, (4000, profile.sequence_length)
    special = len(normalization.SPECIAL_TOKENS)
    rows = np.random.default_rng(0).integers(special, size, shape, "int32")
    log_frequencies = packing.log_frequencies(rows, size)
    model = pretraining.pretraining_model(
        profile, profile.pretraining_steps, log_frequencies
    )
    return model, rows


def serve_ours():
    """Measures the series' step on the backend of this process."""
    import helpers

    backend = helpers.choose_backend()
    import keras

    from helpers import masking, profiles

    profile = profiles.load_profile("sample")
    model, rows = build_ours(profile)
    batches = masking.MaskedBatches(rows, profile, STEPS)
    square = keras.random.normal((2048, 2048))
    product = keras.ops.matmul
    if backend == "jax":
        import jax

        product = jax.jit(product)

    def multiply():
        result = product(square, square)
        if backend == "jax":
            return result.block_until_ready()
        return keras.ops.convert_to_numpy(result)

    serve(profile, lambda: model.fit(batches, shuffle=False, verbose=0), multiply)


def build_theirs(name, profile):
    """A model of transformers, of the profile's sizes."""
    import transformers

    sizes = {
        "vocab_size": profile.vocabulary_size,
        "hidden_size": profile.hidden_dim,
        "num_hidden_layers": profile.num_layers,
        "num_attention_heads": profile.num_heads,
        "intermediate_size": profile.intermediate_dim,
        "max_position_embeddings": profile.sequence_length,
    }
    if name.startswith("ModernBert"):
        config = transformers.ModernBertConfig(
            **sizes,
            sparse_prediction=True,
            reference_compile=False,
            pad_token_id=0,
            cls_token_id=2,
            sep_token_id=3,
            bos_token_id=2,
            eos_token_id=3,
        )
        return transformers.ModernBertForMaskedLM(config)
    without_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = transformers.BertConfig(**sizes, **without_dropout)
    return transformers.BertForMaskedLM(config)


def serve_theirs(name):
    """Measures the step of a model of transformers."""
    import torch

    from helpers import profiles

    profile = profiles.load_profile("sample")
    torch.manual_seed(0)
    model = build_theirs(name, profile)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    forward = torch.compile(model) if name.endswith("compiled") else model
    shape = profile.batch_size, profile.sequence_length
    token_ids = torch.randint(5, profile.vocabulary_size, shape)
    hidden = torch.rand(shape).argsort(dim=1) < profile.predictions_per_sequence
    labels = torch.where(hidden, token_ids, -100)
    inputs = {"input_ids": token_ids, "attention_mask": torch.ones_like(token_ids)}
    square = torch.randn(2048, 2048)

    def take_steps():
        for _ in range(STEPS):
            loss = forward(**inputs, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()

    serve(profile, take_steps, lambda: square @ square)


def main():
    workers = {}
    for name, backend in OURS.items():
        workers[name] = common.Worker(__file__, name, backend)
    for name in THEIRS:
        workers[name] = common.Worker(__file__, name, "torch")
    answers = common.take_turns(workers)
    rows = {}
    for name, answer in answers.items():
        share = 100 * answer["GFLOP/s"] / answer["product GFLOP/s"]
        times = answer["tokens/s"] / answers[EAGER]["tokens/s"]
        rows[name] = {
            "tokens/s": common.spread(answer["tokens/s"]),
            f"times {EAGER}": common.spread(times, 2),
            "product, GFLOP/s": common.spread(answer["product GFLOP/s"]),
            "share of it (%)": common.spread(share),
        }
    common.draw_medians(answers, "tokens/s", "train_step")
    packages = "keras", "jax", "tensorflow", "torch", "transformers"
    common.report("train_step", "A pretraining step", rows, NOTE, *packages)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] in OURS:
        serve_ours()
    else:
        os.environ.pop("KERAS_BACKEND", None)
        serve_theirs(sys.argv[1])
