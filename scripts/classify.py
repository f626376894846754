"""Classifies the lines of standard input with the classifier exported in notebook 5.

    pip install onnxruntime tokenizers
    python scripts/classify.py artifacts/sample/classifier < sentences.txt

Prints label, probability and sentence for each line, separated by tabs, as lines arrive; in
a sentence, a tab becomes a blank. A second argument, `model_int8.onnx`, selects the smaller
model. Needs neither Keras nor JAX, and executes no code from the folder.
"""

import hashlib
import itertools
import json
import pathlib
import sys

import numpy as np
import onnxruntime
import tokenizers


class Classifier:
    """A classifier from the files `model.onnx` and `tokenizer.json` of a folder.

    Raises:
        ValueError: a file is missing or damaged, or they don't belong together.
    """

    def __init__(self, folder, model="model.onnx"):
        folder = pathlib.Path(folder) / "onnx"
        name = folder / model
        try:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4  # errors are reported below
            content = name.read_bytes()  # so weights in other files are rejected
            self.session = onnxruntime.InferenceSession(content, options)
            found = self.session.get_modelmeta().custom_metadata_map
            self.classes = json.loads(found["classes"])
            name = folder / "tokenizer.json"
            content = name.read_bytes()
            if hashlib.sha256(content).hexdigest() != found["tokenizer_sha256"]:
                raise ValueError(f"it is not the tokenizer of {model}")
            self.tokenizer = tokenizers.Tokenizer.from_buffer(content)
            name = folder / model
            self.check()
        except KeyError as error:
            raise ValueError(
                f"{name} is not a classifier of the series: no {error}"
            ) from error
        except Exception as error:  # the libraries raise various types
            said = " ".join(str(error).split())
            raise ValueError(f"{name} can't be used: {said}") from error

    def check(self):
        """Raises an error unless model, tokenizer and classes fit together."""
        self.pad, self.unknown = map(self.tokenizer.token_to_id, ("[PAD]", "[UNK]"))
        largest = max(self.tokenizer.get_vocab().values())  # has to be in the embedding
        ids = [self.pad, self.unknown, largest]
        if None in ids:
            raise ValueError("its tokenizer has no [PAD] or no [UNK]")
        (row,) = self.session.run(None, {"token_ids": np.array([ids], "int32")})[0]
        if not isinstance(self.classes, list) or len(row) != len(self.classes):
            raise ValueError(f"it gives {len(row)} probabilities for {self.classes}")

    def __call__(self, sentences):
        """The class probabilities of a list of sentences: float `(sentences, classes)`."""
        found = (
            each.ids or [self.unknown] for each in self.tokenizer.encode_batch(sentences)
        )
        rows = [*itertools.zip_longest(*found, fillvalue=self.pad)]
        token_ids = np.array(rows, "int32").T
        return self.session.run(None, {"token_ids": token_ids})[0]


def main(folder, *model):
    classifier = Classifier(folder, *model)
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    sys.stdout.reconfigure(encoding="utf-8")
    for line in map(str.strip, sys.stdin):
        (row,) = classifier([line])
        best, text = row.argmax(), line.replace("\t", " ")
        print(classifier.classes[best], f"{row[best]:.3f}", text, sep="\t", flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"Give the folder of a classifier: {sys.argv[0]} FOLDER [MODEL]")
    try:
        main(*sys.argv[1:])
    except ValueError as error:
        sys.exit(f"{error}")
