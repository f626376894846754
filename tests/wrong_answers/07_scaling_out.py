"""Plausible wrong answers to the exercises of notebook 7, which the checks must reject.

Each is executed in place of the answer cell, in the kernel that runs the solutions.
"""


# %% 1: the mean of the means
def combine(gradients, counts):
    return [sum(arrays) / len(counts) for arrays in zip(*gradients, strict=True)]


# %% 2: each device sends everything to each other one
def sent(weights, devices):
    return (devices - 1) * 4 * weights


# %% 3: one after the other
def bound(operations, read, peak, bandwidth):
    times = {"arithmetic": operations / peak, "memory": read / bandwidth}
    return 1000 * sum(times.values()), max(times, key=times.get)


# %% 4: all weights are split
def held(encoder, layouts, devices):
    return encoder.count_params() // devices


# %% 5: blocks of equal size, which leave out the last rows
def part(batch, host, hosts):
    size = len(batch) // hosts
    return batch[host * size : (host + 1) * size]
