"""Exports a preset's masked-word model to ONNX, with its matrices in int8.

    pip install onnx tf2onnx
    python scripts/to_onnx.py helpers/encoders/evening-5000 helpers/page/encoder.onnx

The model takes int32 `token_ids` `(rows, length)` and `mask_positions` `(rows, blanks)`; it
returns float32 probabilities `(rows, blanks, vocabulary)`. The vocabulary is copied beside
it, as `vocabulary.txt`. The first page runs both in the reader's browser.
"""

import argparse
import os
import pathlib
import shutil
import tempfile

import numpy as np

import helpers


def export(preset, path):
    """Exports the model in float32."""
    # The backend from which Keras exports, whatever the series runs on.
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    helpers.choose_backend()

    import keras

    from helpers import presets

    model, _ = presets.load(preset)
    asked = keras.Model(model.input, keras.ops.softmax(model.output))
    token_ids = np.zeros((1, 8), "int32")
    asked({"token_ids": token_ids, "mask_positions": token_ids[:, :1]})
    asked.export(str(path), format="onnx", verbose=False)


def to_int8(graph):
    """Stores the matrices of an ONNX graph in int8, as the appendix of notebook 6 does:
    integers, and a scale for each row. Unlike there, small matrices stay in float32. The
    head's matrix is the embedding's, transposed: it is stored once.
    """
    import onnx

    matrices = {}
    for weights in list(graph.initializer):  # a copy, because some are removed
        matrix = onnx.numpy_helper.to_array(weights)
        if matrix.ndim == 2 and matrix.dtype == np.float32 and matrix.size > 1000:
            matrices[weights.name] = matrix
            graph.initializer.remove(weights)
    nodes = []
    (embedding,) = [name for name in matrices if "GatherV2" in name]
    for name, matrix in matrices.items():
        if np.array_equal(matrix, matrices[embedding].T):
            nodes.append(onnx.helper.make_node("Transpose", [embedding], [name]))
            continue
        scales = np.abs(matrix).max(axis=-1, keepdims=True) / 127
        scales = np.maximum(scales, 1e-12)  # a row may be all zeros
        integers = np.round(matrix / scales).astype("int8")
        parts = {f"{name}_int8": integers, f"{name}_scales": scales}
        for part, array in parts.items():
            graph.initializer.append(onnx.numpy_helper.from_array(array, part))
        to = onnx.TensorProto.FLOAT
        cast = onnx.helper.make_node("Cast", [f"{name}_int8"], [f"{name}_float"], to=to)
        scale = [f"{name}_float", f"{name}_scales"]
        # Before the others, because a transposed one needs it.
        nodes[:0] = [cast, onnx.helper.make_node("Mul", scale, [name])]
    for node in reversed(nodes):
        graph.node.insert(0, node)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", type=pathlib.Path)
    parser.add_argument("path", type=pathlib.Path, help="the file to write")
    asked = parser.parse_args()
    vocabulary = asked.preset / "assets" / "tokenizer" / "vocabulary.txt"
    if not vocabulary.exists():
        parser.error(f"{asked.preset} is no preset: it has no {vocabulary.name}")
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        export(asked.preset, path)
        model = onnx.load(path)
    to_int8(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, asked.path)
    shutil.copy(vocabulary, asked.path.parent)
    print(f"{asked.path}: {asked.path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
