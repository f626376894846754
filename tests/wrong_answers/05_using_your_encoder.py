"""Plausible wrong answers to the exercises of notebook 5, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821


# %% 1: the largest logit, which is no probability
def surest(sentences):
    logits = classifier.predict(sentences, batch_size=256, verbose=0)
    place, best = np.unravel_index(logits.argmax(), logits.shape)
    return sentences[place], classifier.classes[best], float(logits[place, best])


# %% 2: a correction is taken for another matrix of the same size
def lora_weights(encoder, rank):
    dense = [each for each in encoder.layers if isinstance(each, keras.layers.Dense)]
    return sum(rank * each.kernel.shape[0] * each.kernel.shape[1] for each in dense)


# %% 3: sums, whose length depends on that of the text, compared by their product
def sums(sentences):
    rows = preprocessing.tokenize(sentences, vocabulary, profile)
    return np.stack([counted[ids].sum(axis=0) for ids in rows])


products = np.matmul(sums(halves[0]), sums(halves[1]).T)
share = 100 * ((products > np.diag(products)[:, None]).sum(axis=1) < 10).mean()


# %% 4: damage that goes unnoticed
def damage(folder):
    path = folder / "assets" / "tokenizer" / "vocabulary.txt"
    pieces = path.read_text("utf-8").split("\n")
    pieces[10], pieces[11] = pieces[11], pieces[10]
    path.write_text("\n".join(pieces), "utf-8")


# %% 5: padded with an id that is not [PAD]
def answer(sentences):
    found = [each.ids or unknown for each in tokenizer.encode_batch(sentences)]
    rows = np.ones((len(found), max(map(len, found))), "int32")
    for row, ids in zip(rows, found, strict=True):
        row[: len(ids)] = ids
    return session.run(None, {"token_ids": rows})[0]
