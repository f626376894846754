"""How far the findings of the notebooks vary between processors, threads and seeds.

    python benchmarks/spread.py              # all variants: some hours on two cores
    python benchmarks/spread.py seed_1       # one of them
    python benchmarks/spread.py whole --values artifacts/outputs/findings.jsonl

A variant executes notebooks 1 to 6 and the appendix with the profile `sample`.
benchmarks/findings.csv has a row for each finding and a column for each variant; the
columns of variants that are not measured again are kept. `--values` takes what such a run,
as that of `make outputs`, has collected. tests/test_findings.py compares the notebooks'
bounds with the table.
"""

import argparse
import json
import os
import pathlib
import tempfile

import common
import pandas as pd

TABLE = common.FOLDER / "findings.csv"


def instructions(xla, numpy, openblas):
    """Variables that keep XLA, NumPy and OpenBLAS from newer instructions. What a processor
    lacks anyway is ignored."""
    return {
        "XLA_FLAGS": f"--xla_cpu_max_isa={xla}",
        "NPY_DISABLE_CPU_FEATURES": numpy,
        "OPENBLAS_CORETYPE": openblas,
    }


# Name: environment variables, settings, whether all of it runs on one core.
VARIANTS = {
    "whole": ({}, {}, False),
    "avx2": (instructions("AVX2", "X86_V4", "Haswell"), {}, False),
    "sse4_2": (instructions("SSE4_2", "X86_V3 X86_V4", "Nehalem"), {}, False),
    "one_thread": ({}, {}, True),
    "seed_1": ({}, {"seed": 1}, False),
    "seed_2": ({}, {"seed": 2}, False),
}


def one_core():
    """Restricts a process to one core, and thus its libraries to one thread."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def measure(variant):
    """Executes the notebooks: a Series of the findings' values by name."""
    variables, settings, alone = VARIANTS[variant]
    with tempfile.TemporaryDirectory() as folder:
        values = pathlib.Path(folder, "findings.jsonl")
        results = {"TUTORIAL_ARTIFACTS": folder, "TUTORIAL_FINDINGS": str(values)}
        common.run_series(
            range(1, 7),
            settings,
            folder,
            appendix=True,
            env=os.environ | results | variables,
            preexec_fn=one_core if alone else None,
        )
        return read(values, variant)


def read(path, variant):
    """The values of findings that notebooks have collected, without those of solutions: a
    Series by name."""
    values = {}
    for line in path.read_text("utf-8").splitlines():
        finding = json.loads(line)
        if not finding["finding"].startswith("solutions"):
            values[finding["finding"]] = finding["value"]
    return pd.Series(values, name=variant)


def add(table, values):
    """The table with a variant's column, and the lowest and highest value of each row."""
    table = table.drop(columns=["lowest", "highest"], errors="ignore")
    table = table.reindex(values.index)  # in the order of the series, without old rows
    table[values.name] = values
    table = table[[name for name in VARIANTS if name in table]]
    return table.assign(lowest=table.min(axis=1), highest=table.max(axis=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # Not `choices`, which argparse compares with the default, too.
    parser.add_argument("variants", nargs="*", default=[*VARIANTS], metavar="variant")
    parser.add_argument("--values", type=pathlib.Path, help="of one variant, from a file")
    options = parser.parse_args()
    unknown = set(options.variants) - set(VARIANTS)
    if unknown:
        parser.error(f"no variant {', '.join(unknown)}: choose among {', '.join(VARIANTS)}")
    for variant in options.variants:
        values = read(options.values, variant) if options.values else measure(variant)
        table = pd.DataFrame()
        if TABLE.exists():
            table = pd.read_csv(TABLE, index_col="finding")
        add(table, values).rename_axis("finding").to_csv(TABLE, float_format="%.6g")


if __name__ == "__main__":
    main()
