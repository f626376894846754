"""A damaged or hostile preset is refused, and nothing in it is executed."""

import dataclasses
import json

import keras_hub
import pytest

from helpers import kerashub, models, wordpieces
from helpers.normalization import SPECIAL_TOKENS


def a_call(config):
    config |= {"module": "os", "class_name": "system", "registered_name": "system"}
    config["config"] = {"command": "touch harm"}


def a_lambda(config):
    code = {"class_name": "__lambda__", "config": {"value": "4wAA"}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "registered_name": "Lambda"}
    layer["config"] = {"name": "lambda", "function": code}
    config["config"]["backbone"] = layer


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("config.json", a_call, "no class registered"),
        ("task.json", a_lambda, "a `Lambda` layer whose `function` is a Python"),
    ],
)
def test_a_hostile_configuration_is_refused(
    profile, tmp_path, monkeypatch, name, change, reason
):
    encoder = models.build_encoder(dataclasses.replace(profile, vocabulary_size=8))
    tokenizer = kerashub.Tokenizer([*SPECIAL_TOKENS, *"abc"], sequence_length=8)
    parts = {"preprocessor": kerashub.Preprocessor(tokenizer), "classes": ["bad", "good"]}
    monkeypatch.chdir(tmp_path)
    kerashub.TextClassifier(encoder, compile=False, **parts).save_to_preset("preset")
    path = tmp_path / "preset" / name
    config = json.loads(path.read_text("utf-8"))
    change(config)
    path.write_text(json.dumps(config), "utf-8")
    with pytest.raises((TypeError, ValueError), match=reason):
        keras_hub.models.TextClassifier.from_preset("./preset", compile=False)
    assert [file.name for file in tmp_path.iterdir()] == ["preset"]


def test_another_vocabulary_is_refused(tmp_path):
    wordpieces.save_vocabulary([*SPECIAL_TOKENS, "more"], tmp_path / "vocabulary.txt")
    tokenizer = kerashub.Tokenizer(pieces=5, sequence_length=8)
    with pytest.raises(ValueError, match="The vocabulary has 6 word pieces"):
        tokenizer.load_assets(str(tmp_path))
