"""Plausible wrong answers to the exercises of notebook 3, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821

# %% 1: the block's effect includes the optimizer's
falls = {
    "block": last["classic", "AdamW"] - last["rotary", "Muon"],
    "optimizer": last["classic", "AdamW"] - last["classic", "Muon"],
}


# %% 2: the weights are resumed, but the data start again
def train_from_the_first_batch(path, callbacks=()):
    keras.utils.set_random_seed(profile.seed)
    total = epochs * steps_per_epoch
    model = pretraining.pretraining_model(tiny, total, log_frequencies)
    settings = profiles.settings(tiny)
    saved = checkpoints.Checkpoint(model, path, settings, every=0.0)
    done = saved.restore()
    batches = masking.MaskedBatches(training_rows, tiny, total)
    plan = {"initial_epoch": done, "epochs": epochs, "steps_per_epoch": steps_per_epoch}
    model.fit(batches, **plan, shuffle=False, callbacks=[saved, *callbacks], verbose=0)
    return model, done


with tempfile.TemporaryDirectory() as halfway:
    path = pathlib.Path(halfway, "interrupted.npz")
    try:
        train_from_the_first_batch(path, [Interrupt()])
    except KeyboardInterrupt:
        resumed, completed = train_from_the_first_batch(path)

# %% 3: each encoder is measured by the words that were masked in its training
measured = dict(reported)

# %% 4: `word_vectors` is set, so the encoder is assumed to have them
fresh = pretraining.pretraining_model(profile, steps, log_frequencies)
accuracy = accuracy | {"untrained": 100 * frozen(fresh.get_weights()).mean()}

# %% 5: tokens are shuffled, and words torn apart
rng = np.random.default_rng(profile.seed)
shuffled = rng.permuted(validation_rows, axis=1)

# %% 6: what any reader can complete
questions = {
    "one of the [MASK] parameters": "best",
    "this is [MASK] example": "an",
    "the number [MASK] samples": "of",
}
