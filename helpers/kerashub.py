"""The encoders of the series as KerasHub models that take text.

Notebook 6 uses these classes, and its appendix writes them out. A preset contains no code:
the notebook copies this module, `models` and `normalization`, and nothing else, into its
folder.
"""

import keras
import keras_hub
import tensorflow as tf
from keras import layers, ops

from helpers import models, normalization


def register(kind):
    """Lets Keras find a class by name when it loads a model."""
    return keras.saving.register_keras_serializable(package="helpers")(kind)


def matched(backbone, preprocessor):
    """Both, unless the tokenizer has another number of word pieces: then a ValueError."""
    size = backbone.vocabulary_size
    if preprocessor and preprocessor.tokenizer.pieces != size:
        pieces = f"The tokenizer has {preprocessor.tokenizer.pieces} word pieces"
        raise ValueError(f"{pieces}, the encoder {size}.")
    return backbone, preprocessor


@register
class Tokenizer(keras_hub.tokenizers.WordPieceTokenizer):
    """Cleans text and splits it into word pieces: from strings to int token ids.

    Args:
        vocabulary: list of strings, or None if the assets of a preset follow.
        lowercase, strip_accents: bool, see `normalization.normalize`.
        pieces: int, the size of the vocabulary that `load_assets` will find.
    """

    backbone_cls = models.Encoder

    def __init__(
        self, vocabulary=None, lowercase=True, strip_accents=True, pieces=None, **kwargs
    ):
        if isinstance(vocabulary, str):
            raise ValueError("A vocabulary is a list of word pieces, not a path.")
        super().__init__(vocabulary, **kwargs)
        self.pieces = pieces or len(vocabulary)
        self.options = {"lowercase": lowercase, "strip_accents": strip_accents}

    def tokenize(self, inputs):
        return super().tokenize(normalization.normalize(inputs, **self.options))

    def load_assets(self, dir_path):
        super().load_assets(dir_path)
        if self.vocabulary_size() != self.pieces:
            pieces = f"The vocabulary has {self.vocabulary_size()} word pieces"
            raise ValueError(f"{pieces}, where its tokenizer expects {self.pieces}.")

    def get_config(self):
        return {**super().get_config(), **self.options, "pieces": self.pieces}


@register
class Preprocessor(keras_hub.models.TextClassifierPreprocessor):
    """From strings to token ids, int `(batch, sequence)`; an empty text becomes [UNK]."""

    backbone_cls = models.Encoder
    tokenizer_cls = Tokenizer

    def build(self, input_shape):
        self.built = True

    def call(self, x, y=None, sample_weight=None):
        token_ids = tf.convert_to_tensor(self.tokenizer(x))
        empty = token_ids[..., :1] == normalization.PAD
        first = tf.where(empty, normalization.UNK, token_ids[..., :1])
        token_ids = tf.concat([first, token_ids[..., 1:]], axis=-1)
        return keras.utils.pack_x_y_sample_weight(token_ids, y, sample_weight)


@register
class MaskedLM(keras_hub.models.MaskedLM):
    """Masked language modelling: logits, `(batch, predictions, vocabulary)`."""

    backbone_cls = models.Encoder
    preprocessor_cls = Preprocessor

    def __init__(self, backbone, preprocessor=None, **kwargs):
        self.backbone, self.preprocessor = matched(backbone, preprocessor)
        embedding = models.token_embedding(backbone)
        head = keras_hub.layers.MaskedLMHead(token_embedding=embedding, name="head")
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        inputs = {"token_ids": backbone.input, "mask_positions": positions}
        outputs = head(backbone.output, mask_positions=positions)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)


@register
class TextClassifier(keras_hub.models.TextClassifier):
    """Classification: logits, float32 `(batch, classes)`; `classes` are their names."""

    backbone_cls = models.Encoder
    preprocessor_cls = Preprocessor

    def __init__(self, backbone, classes, preprocessor=None, dropout=0.1, **kwargs):
        self.backbone, self.preprocessor = matched(backbone, preprocessor)
        model = models.build_classifier(backbone, len(classes), dropout)
        super().__init__(inputs=model.input, outputs=model.output, **kwargs)
        self.num_classes = len(classes)
        self.classes = classes
        self.dropout = dropout

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "dropout": self.dropout}


@register
class TextEmbedder(keras_hub.models.TextEmbedder):
    """The mean of the vectors of a text's tokens, of length 1: float32 `(batch, hidden)`.

    A text is read in rows of `row` tokens, because later positions were never trained.
    """

    backbone_cls = models.Encoder
    preprocessor_cls = Preprocessor

    def __init__(self, backbone, row, preprocessor, **kwargs):
        self.backbone, self.preprocessor = matched(backbone, preprocessor)
        length = preprocessor.tokenizer.sequence_length
        token_ids = keras.Input((length,), dtype="int32", name="token_ids")
        rows = ops.pad(token_ids, [[0, 0], [0, -length % row]])  # to whole rows
        vectors = backbone(ops.reshape(rows, (-1, row)))
        vectors = ops.reshape(vectors, (-1, rows.shape[1], vectors.shape[-1]))
        words = ops.not_equal(rows, normalization.PAD)
        x = layers.GlobalAveragePooling1D(dtype="float32")(vectors, mask=words)
        super().__init__(inputs=token_ids, outputs=ops.normalize(x, axis=-1), **kwargs)
        self.row = row

    def get_config(self):
        return {**super().get_config(), "row": self.row}
