"""Plausible wrong answers to the exercises of notebook 2, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821

# %% 1: the most frequent whole words instead of sub-words
from collections import Counter

frequent = Counter(word for text in texts for word in text.lower().split())
small = [*normalization.SPECIAL_TOKENS, *(word for word, _ in frequent.most_common(1995))]
by_size = pd.DataFrame(
    {
        len(pieces): {
            "tokens": sum(map(len, wordpieces.tokenize(texts[:1000], pieces, profile))),
            "embedding": len(pieces) * profile.hidden_dim,
        }
        for pieces in (vocabulary, small)
    }
).T

# %% 2: only tokens shown as [MASK] are counted
half = profiles.load_profile(PROFILE, **OVERRIDES | {"mask_rate": 0.5})
features, _, _ = masking.hide(first_rows, half, np.random.default_rng(0))
share = (features["token_ids"] == normalization.MASK).sum() / may_hide.sum()

# %% 3: both use the notebook's window
counts = dict.fromkeys((2, 20), counts[20])
vectors = dict.fromkeys((2, 20), vectors[20])


# %% 4: a word counts as its own neighbour
def shared(first, second, ids, count=10):
    shares = []
    for id_ in ids:
        in_first = np.argsort(-(first @ first[id_]))[:count]
        in_second = np.argsort(-(second @ second[id_]))[:count]
        shares.append(len(np.intersect1d(in_first, in_second)) / count)
    return np.array(shares)


# %% 5: from the mean length, as if long texts made up for short ones
by_length = {}
for length in 32, 64, 128:
    by_length[length] = {}
    for name, ids in by_kind.items():
        mean = np.mean([len(row) for row in ids])
        by_length[length][f"{name} padding"] = 100 * max(0, 1 - mean / length)
        by_length[length][f"{name} lost"] = 100 * max(0, 1 - length / mean)
by_length = pd.DataFrame(by_length).T


# %% 6: tokens are chosen first, and their words completed afterwards
def hide_words(row, rng):
    word = np.cumsum(~inside[row])
    word[special[row]] = -1
    may = np.flatnonzero(word >= 0)
    chosen = rng.choice(may, int(np.ceil(profile.mask_rate * len(may))), replace=False)
    return np.isin(word, word[chosen])
