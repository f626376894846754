"""Plausible wrong answers to the exercises of notebook 6, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821


# %% 1: the largest logit, which is no probability
def surest(sentences):
    logits = classifier.predict(sentences, batch_size=256, verbose=0)
    place, best = np.unravel_index(logits.argmax(), logits.shape)
    return sentences[place], classifier.classes[best], float(logits[place, best])


# %% 2: sums, whose length depends on that of the text, compared by their product
def sums(sentences):
    token_ids = wordpieces.tokenize(sentences, vocabulary, profile)
    return np.stack([counted[ids].sum(axis=0) for ids in token_ids])


products = np.matmul(sums(first_halves), sums(second_halves).T)
share = 100 * ((products > np.diag(products)[:, None]).sum(axis=1) < 10).mean()


# %% 3: damage that goes unnoticed
def damage(folder):
    path = folder / "assets" / "tokenizer" / "vocabulary.txt"
    pieces = path.read_text("utf-8").split("\n")
    pieces[10], pieces[11] = pieces[11], pieces[10]
    path.write_text("\n".join(pieces), "utf-8")


# %% 4: padded with an id that is not [PAD]
def answer(sentences):
    token_ids = [encoding.ids or unknown for encoding in tokenizer.encode_batch(sentences)]
    rows = np.ones((len(token_ids), max(map(len, token_ids))), "int32")
    for row, ids in zip(rows, token_ids, strict=True):
        row[: len(ids)] = ids
    return session.run(None, {"token_ids": rows})[0]
