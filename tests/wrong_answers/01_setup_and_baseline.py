"""Plausible wrong answers to the exercises of notebook 1, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821

# %% 1: each row gets its number, but the layer stays the same
by_words = {}
for most in 500, 4000, 20000:
    by_words[most] = {"known": most, **learn(words)[1]}
by_words = pd.DataFrame(by_words).T

# %% 2: the sentences go through the layer without pairs
with_pairs = learn_words(task.train.text, ngrams=2)
pairs_model, found = learn(with_pairs)
plain, negated = (
    favourable(pairs_model, words, sentences) for sentences in zip(*negations, strict=True)
)
changes = negated - plain

# %% 3: the strength with the smallest gap is chosen
by_penalty = pd.DataFrame(
    {strength: learn(words, strength)[1] for strength in (0.0, 0.01)}
).T
best_penalty = by_penalty.gap.idxmin()

# %% 4: an added word, so the two sentences are different bags
contrasts = [
    (f"not a {word} film", f"a {word} film")
    for word in ("bad", "boring", "dull", "flat", "stupid")
]

# %% 5: accuracy on the sentences that the model was trained on
rows = {}
for count in 50, 100, 250, 1000, len(task.train):
    rows[count] = {}
    for seed in range(3):
        drawn = task.train.sample(count, random_state=seed)
        layer = learn_words(drawn.text)
        x, labels = present(layer, drawn.text), drawn.label.to_numpy()
        model = train_bag_of_words(x, labels, seed, epochs=10)
        rows[count][seed] = accuracy(model, layer, drawn)
by_labels = pd.DataFrame(rows).T

# %% 6: the texts name their library
with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder, "docstrings.csv")
    named = [
        {"text": f"{library}: {text}", "label": library}
        for library in LIBRARIES
        for text in itertools.islice(docstrings(library), 200)
    ]
    pd.DataFrame(named).to_csv(file, index=False)
    own = corpora.read_task(profiles.load_profile(task=str(file)))
own_words = learn_words(own.train.text)
x, labels = present(own_words, own.train.text), own.train.label.to_numpy()
own_model = train_bag_of_words(x, labels, profile.seed, epochs=10)
own_predicted = logits(own_model, own_words, own.test.text).argmax(axis=1)
