"""Plausible wrong answers to the exercises of notebook 1, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821

# %% 1: each row gets its number, but the layer stays the same
_, figures = learn(words)
by_words = {size: {"known": size} | figures for size in (500, 4000, 20000)}
by_words = pd.DataFrame(by_words).T

# %% 2: the sentences go through the layer without pairs
before = favourable(pairs_model, words, without_not)
after = favourable(pairs_model, words, with_not)
changes = after - before

# %% 3: the strength with the smallest gap is chosen
best_penalty = by_penalty.gap.idxmin()

# %% 4: an added word, so the two sentences are different bags
contrasts = [
    (f"not a {word} film", f"a {word} film")
    for word in ("bad", "boring", "dull", "flat", "stupid")
]

# %% 5: with 50 labels, accuracy on the sentences that the model was trained on
by_labels = by_labels.copy()
for seed in seeds:
    drawn = tasks.draw_few(task.train, 50, seed)
    layer = learn_words(drawn.text)
    x, labels = present(layer, drawn.text), drawn.label.to_numpy()
    model = train_bag_of_words(x, labels, seed, epochs=30)
    by_labels.loc[50, seed] = accuracy(model, layer, drawn)

# %% 6: the texts name their library
with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder, "docstrings.csv")
    named = [
        {"text": f"{library}: {text}", "label": library}
        for library in LIBRARIES
        for text in itertools.islice(docstrings(library), 200)
    ]
    pd.DataFrame(named).to_csv(file, index=False)
    own = tasks.read_task(profiles.load_profile(task=str(file)))
own_words = learn_words(own.train.text)
x, labels = present(own_words, own.train.text), own.train.label.to_numpy()
own_model = train_bag_of_words(x, labels, profile.seed, epochs=10)
own_predicted = logits(own_model, own_words, own.test.text).argmax(axis=1)
