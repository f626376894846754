"""Classifies the lines of standard input with the classifier exported in notebook 6.

    pip install onnxruntime tokenizers
    python scripts/classify.py artifacts/sample/classifier < sentences.txt

Prints label, probability and sentence for each line, separated by tabs, as lines arrive; in
a sentence, a tab becomes a blank. The text is in UTF-8, or as its byte-order mark says. If
lines have more word pieces than the model reads, standard error says at the end which.
Needs neither Keras nor JAX, and executes no code from the folder.
"""

import signal

if __name__ == "__main__":
    # Ctrl-C, and a reader of the answers that has enough, end the program quietly, as they
    # end others. From here on, because the imports below take a second.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)

import argparse
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import sys

import numpy as np
import onnxruntime
import tokenizers

# So many characters of a sentence are tokenised first. Most are shorter.
BEGINNING = 2000
NOTED_LINES = 5  # line numbers in the note on sentences that were cut


@dataclasses.dataclass(frozen=True)
class Answer:
    """The most probable class of a sentence, and what it is based on."""

    label: str
    probability: float
    truncated: bool  # whether it has more word pieces than the model reads
    probabilities: dict[str, float]  # of every class
    tokens: list[str]  # the word pieces that the model read


class Classifier:
    """A classifier from the files `model.onnx` and `tokenizer.json` of a folder.

    Args:
        folder: the path of the folder `classifier` of notebook 6.
        model: the name of the model file.

    Raises:
        ValueError: a file is missing or damaged, or they don't belong together.
    """

    def __init__(self, folder, model="model.onnx"):
        folder = pathlib.Path(folder) / "onnx"
        path = folder / model
        try:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4  # errors are reported below
            # For a sentence, two threads are no faster, and wait for each other.
            options.intra_op_num_threads = 1
            content = path.read_bytes()  # so weights in other files are rejected
            self.session = onnxruntime.InferenceSession(content, options)
            properties = self.session.get_modelmeta().custom_metadata_map
            self.classes = json.loads(properties["classes"])
            path = folder / "tokenizer.json"
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != properties["tokenizer_sha256"]:
                raise ValueError(f"it is not the tokenizer of {model}")
            self.tokenizer = tokenizers.Tokenizer.from_buffer(content)
            self.prepare_tokenizer()
            path = folder / model
            self.check()
        except FileNotFoundError as error:
            advice = "give the folder `classifier` that notebook 6 leaves"
            if model != "model.onnx":
                advice += ", to which its appendix adds model_int8.onnx"
            raise ValueError(f"There is no {path}: {advice}.") from error
        except KeyError as error:
            raise ValueError(
                f"{path} is not a classifier of the series: no {error}"
            ) from error
        except Exception as error:  # the libraries raise various types
            reason = " ".join(str(error).split())
            raise ValueError(f"{path} can't be used: {reason}") from error

    def prepare_tokenizer(self):
        """Reads the limits of the tokenizer; a ValueError if it has none."""
        self.unknown = self.tokenizer.token_to_id("[UNK]")
        if self.unknown is None or self.tokenizer.truncation is None:
            raise ValueError("it has no [UNK], or no limit of word pieces")
        self.length = self.tokenizer.truncation["max_length"]
        # Longer words are one [UNK], so no word has more pieces than this.
        self.word_length = self.tokenizer.model.max_input_chars_per_word
        self.tokenizer.no_truncation()  # `read` cuts, and tells whether it did

    def check(self):
        """Raises a ValueError unless model, tokenizer and classes fit together."""
        largest = max(self.tokenizer.get_vocab().values())  # has to be in the embedding
        row = self.probabilities([self.unknown, largest])
        if not isinstance(self.classes, list) or len(row) != len(self.classes):
            raise ValueError(f"it gives {len(row)} probabilities for {self.classes}")

    def read(self, sentence):
        """The ids of the word pieces that the model reads, a list of int; and whether the
        sentence has more, a bool.

        Of a long sentence, only a beginning is tokenised that has more than enough word
        pieces. It may end inside a word, which is then another one, but it has so many
        pieces that this last word is not among those that are read.
        """
        size = BEGINNING
        ids = self.tokenizer.encode(sentence[:size]).ids
        while size < len(sentence) and len(ids) < self.length + self.word_length:
            size *= 4
            ids = self.tokenizer.encode(sentence[:size]).ids
        # An empty sentence becomes [UNK], because attention needs at least one token.
        return ids[: self.length] or [self.unknown], len(ids) > self.length

    def probabilities(self, ids):
        """The class probabilities of one sentence, from a list of int: float `(classes,)`.

        One at a time, because a quantised model may have a common scale for all numbers of
        a batch: a sentence would get another answer together with others.
        """
        return self.session.run(None, {"token_ids": np.array([ids], "int32")})[0][0]

    def answer(self, sentence):
        """The `Answer` for a sentence."""
        ids, truncated = self.read(sentence)
        row = self.probabilities(ids).tolist()
        probabilities = dict(zip(self.classes, row, strict=True))
        label = max(probabilities, key=probabilities.get)
        tokens = [self.tokenizer.id_to_token(number) for number in ids]
        return Answer(label, probabilities[label], truncated, probabilities, tokens)

    def __call__(self, sentences):
        """The class probabilities of a list of sentences: float `(sentences, classes)`."""
        rows = [self.probabilities(self.read(sentence)[0]) for sentence in sentences]
        return np.reshape(rows, (len(sentences), len(self.classes)))


def encoding_of(beginning):
    """The name of an encoding, from the first bytes of a text."""
    # UTF-32 first: its mark begins with that of UTF-16.
    if beginning.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig"


def read_lines(file):
    """Yields the lines of a buffered binary file as they come, without their ends and other
    blanks around them. A ValueError if one has a NUL, as UTF-16 without a mark has."""
    encoding = encoding_of(file.peek(4))
    lines = io.TextIOWrapper(file, encoding, errors="replace", newline=None)
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            reason = "has a NUL character, as UTF-16 without a byte-order mark has"
            raise ValueError(f"Line {number} {reason}: save the text as UTF-8.")
        yield line.strip()


def print_answers(classifier, lines):
    """Prints an answer for each line, and returns the numbers of lines that were cut."""
    truncated = []
    for number, line in enumerate(lines, 1):
        answer = classifier.answer(line)
        if answer.truncated:
            truncated.append(number)
        probability = f"{answer.probability:.3f}"
        text = line.replace("\t", " ")
        print(answer.label, probability, text, sep="\t", flush=True)
    return truncated


def add_model(parser):
    """Adds the argument that names the model, as in `serve.py`."""
    parser.add_argument(
        "model",
        nargs="?",
        default="model.onnx",
        help="file name of the model (default: %(default)s; model_int8.onnx, "
        "which the appendix of notebook 6 makes, is smaller)",
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="the folder `classifier` that notebook 6 leaves")
    add_model(parser)
    arguments = parser.parse_args()
    if sys.stdin is None or sys.stdout is None:
        sys.exit("Standard input or output is closed: leave both open.")
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        classifier = Classifier(arguments.folder, arguments.model)
        truncated = print_answers(classifier, read_lines(sys.stdin.buffer))
    except ValueError as error:
        sys.exit(str(error))
    except OSError as error:  # such as a full disk
        # What can't be written mustn't be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"Reading lines or writing answers failed: {error.strerror}.")
    if truncated:
        numbers = ", ".join(map(str, truncated[:NOTED_LINES]))
        more = ", ..." if len(truncated) > NOTED_LINES else ""
        note = f"Only the first {classifier.length} word pieces were read of"
        print(f"{note} {len(truncated)} lines: {numbers}{more}", file=sys.stderr)


if __name__ == "__main__":
    main()
