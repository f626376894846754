"""Plausible wrong answers to the exercises of notebook 5, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""
# ruff: noqa: F821

# %% 1: the encoder is compared with guessing
guessed = np.full(len(answers), 0.5)
worth = {
    count: intervals.paired_difference(models["pretrained"], guessed)
    for count, models in right.items()
}

# %% 2: the controls of the two differences are swapped
moving, starting = starting, moving

# %% 3: the average is compared with the worst of the three
gained = []
for members in probabilities.values():
    together = np.mean(members, axis=0).argmax(axis=1) == answers
    each = [member.argmax(axis=1) == answers for member in members]
    gained.append(intervals.paired_difference(together, min(each, key=np.mean)))
same, others = gained


# %% 4: padding takes part, and a higher accuracy counts as a real difference
def largest(x, words):
    return ops.max(x, axis=1)


real = by_mean.mean() > by_largest.mean()

# %% 5: a word counts as known if another word contains it
everything = " ".join(task.train.text)
unknown = np.array(
    [sum(word not in everything for word in set(text.split())) for text in task.test.text]
)
unknown_few = np.array([unknown] * len(draws))

# %% 6: twice as good as guessing counts as help
guessed = np.full(len(libraries.test), 1 / 3)
difference = intervals.paired_difference(elsewhere["pretrained"], guessed)
helps = difference[1] > 0
