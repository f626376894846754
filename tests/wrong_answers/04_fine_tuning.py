# Answers to the exercises of notebook 4 that tempt and are wrong. Each stands for the
# answer cell of notebooks/solutions/04_fine_tuning.ipynb, whose check refuses it.
# ruff: noqa: F821

# %% 1: what the encoder is worth is taken from its own accuracy, against guessing
right = {count: draws(count) for count in (100, 500)}
guessed = np.full((3, len(answers)), 0.5)
worth = {
    count: results.paired_difference(each["pretrained"], guessed)
    for count, each in right.items()
}

# %% 2: the random head is taken for the control of moving, the frozen one of starting
frozen = np.array([learn(profile.few_labels, seed)["pretrained"] for seed in seeds])
moving = results.paired_difference(moved["started head"], moved["random head"])
starting = results.paired_difference(moved["started head"], frozen)

# %% 3: the average against the worst of the three
gained = []
for members in probabilities.values():
    together = np.mean(members, axis=0).argmax(axis=1) == answers
    alone = [member.argmax(axis=1) == answers for member in members]
    gained.append(results.paired_difference(together, min(alone, key=np.mean)))
same, others = gained


# %% 4: padding takes part, and a higher accuracy is taken for a real difference
def largest(x, words):
    return ops.max(x, axis=1)


real = by_mean.mean() > by_largest.mean()

# %% 5: a word counts as known where another word contains it
unknown = np.array(
    [
        sum(word not in everything for word in set(text.split()))
        for everything in [" ".join(task.train.text)]
        for text in task.test.text
    ]
)
unknown_few = np.array([unknown] * 3)

# %% 6: twice as good as guessing, so it helps
guessed = np.full((3, len(libraries.test)), 1 / 3)
difference = results.paired_difference(elsewhere["films"], guessed)
helps = difference[1] > 0
