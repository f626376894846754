"""A damaged or hostile preset, or ONNX file, is refused, and nothing in it is executed."""

import json
import os
import shutil
import subprocess
import sys

import onnx
import pytest

from conftest import REPOSITORY

pytestmark = pytest.mark.slow

# What `pytest --nbval notebooks` leaves.
LEFT = REPOSITORY / "artifacts" / "tested" / "sample"


@pytest.fixture
def folder(tmp_path):
    """A copy of the classifier of notebook 6."""
    assert (LEFT / "06_using_your_encoder.json").exists(), "run `make test-slow`"
    return shutil.copytree(LEFT / "classifier", tmp_path / "classifier")


# Loads presets, each with its own code, and prints a line of JSON for each.
KERAS = """
import json, os, sys
import keras_hub

sys.path.insert(0, "")  # the current folder
for folder in sys.argv[1:]:
    os.chdir(folder)
    try:
        import series_encoder  # registers its classes
        classifier = keras_hub.models.TextClassifier.from_preset(".", compile=False)
        rows = classifier.predict(["A film to remember.", "dull"], verbose=0)
        labels = [classifier.classes[row.argmax()] for row in rows]
        print(json.dumps(["loaded", labels]))
    except Exception as error:
        print(json.dumps(["refused", str(error)]))
"""


def load_presets(folders):
    """Loads presets in another process: what it prints for each."""
    options = {"capture_output": True, "text": True}
    options["env"] = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-I", "-c", KERAS, *folders], **options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def changed(name, change):
    """A function that changes a JSON file of a preset."""

    def damage(folder):
        content = json.loads((folder / name).read_text("utf-8"))
        change(content)
        (folder / name).write_text(json.dumps(content), "utf-8")

    return damage


def call(module, name, argument):
    """Makes a configuration call a function."""
    config = {"module": module, "class_name": name, "config": {"command": argument}}
    return lambda content: content.update(config, registered_name=name)


def a_lambda(content):
    """Puts code into a configuration."""
    code = {"class_name": "__lambda__", "config": {"value": "4wAA"}}
    config = {"name": "lambda", "function": code}
    content["config"]["backbone"] = {"module": "keras.layers", "class_name": "Lambda"}
    content["config"]["backbone"] |= {"config": config, "registered_name": "Lambda"}


def narrow(content):
    content["config"]["backbone"]["config"]["hidden_dim"] = 64


def code_beside_it(folder):
    """Puts a module into the folder that has the name of one that Keras imports."""
    (folder / "keras.py").write_text("open('harm', 'w')", "utf-8")
    changed("task.json", narrow)(folder)


def tokenizer_set(**settings):
    """A function that changes the tokenizer's configuration."""

    def change(content):
        tokenizer = content["config"]["preprocessor"]["config"]["tokenizer"]
        tokenizer["config"] |= settings

    return changed("task.json", change)


def more_pieces(folder):
    """A longer vocabulary, of which the tokenizer's configuration knows."""
    longer_vocabulary(folder)
    tokenizer_set(pieces=8001)(folder)


def longer_vocabulary(folder):
    path = folder / "assets" / "tokenizer" / "vocabulary.txt"
    path.write_text(path.read_text("utf-8") + "one more\n", "utf-8")


def damaged_weights(folder):
    os.truncate(folder / "model.weights.h5", 100_000)


DAMAGES = [
    (changed("config.json", call("os", "system", "touch harm")), "no class registered"),
    (changed("task.json", a_lambda), "a `Lambda` layer whose `function` is a Python"),
    (changed("task.json", narrow), "A total of 1 objects could not be loaded"),
    (tokenizer_set(vocabulary="/etc/passwd"), "not a path"),
    (code_beside_it, "A total of 1 objects could not be loaded"),
    (damaged_weights, "truncated file"),
    (longer_vocabulary, "The vocabulary has 8001 word pieces"),
    (more_pieces, "The tokenizer has 8001 word pieces, the encoder 8000"),
]


def test_keras_refuses_a_preset_that_is_damaged_or_hostile(folder, tmp_path):
    folders = []
    for number, (damage, _) in enumerate(DAMAGES):
        folders.append(shutil.copytree(folder, tmp_path / f"damaged {number}"))
        damage(folders[-1])
    loaded = load_presets(folders)
    for (_, reason), (outcome, message) in zip(DAMAGES, loaded, strict=True):
        assert outcome == "refused"
        assert reason in message
    assert not [*tmp_path.glob("**/harm")]


def weights_elsewhere(folder):
    """Makes the model read weights from a file outside the folder."""
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda weight: weight.ByteSize())
    (folder.parent / "outside").write_bytes(largest.raw_data)
    onnx.external_data_helper.set_external_data(largest, location="../../outside")
    largest.ClearField("raw_data")
    largest.data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())


def test_weights_outside_the_folder_are_not_read(folder):
    weights_elsewhere(folder)
    command = [sys.executable, REPOSITORY / "scripts" / "classify.py", folder]
    options = {"input": "good\n", "capture_output": True, "text": True}
    done = subprocess.run(command, **options)
    assert (done.returncode, done.stdout) == (1, "")
    assert "model.onnx" in done.stderr
    assert done.stderr.count("\n") == 1
