"""Plausible wrong answers to the exercises of notebook 4, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821

# %% 1: of his and her
reflexive = {
    "both neighbours": 50.0,
    "encoder": agreement.share_right(preference[:40], is_her[:40]) / 2,
}


# %% 2: the token before the word
clue, distance = agreement.nearest_clue(places, position, gender)
hidden_clues = places[clue != 0].copy()
where = position - 2 - distance[clue != 0]
hidden_clues[np.arange(len(hidden_clues)), np.maximum(where, 0)] = normalization.MASK
without = agreement.encoder_prefers(model, hidden_clues, position, PRONOUN, vocabulary)
remaining = agreement.share_right(without, is_her[clue != 0])


# %% 3: ups and downs cancel out
full_rows = places[(places != normalization.PAD).all(axis=1)][:300]
whole = agreement.encoder_prefers(model, full_rows, position, PRONOUN, vocabulary)
moves = pd.Series(dtype=float)
for distance in range(1, min(16, position + 1)):
    masked = full_rows.copy()
    masked[:, position - distance] = normalization.MASK
    without = agreement.encoder_prefers(model, masked, position, PRONOUN, vocabulary)
    moves[distance] = (without - whole).mean()


# %% 4: the other way round
rule = {"both neighbours": 100 - rule["both neighbours"], "encoder": rule["encoder"]}
