"""The encoders of the series, as built in notebook 3, and the heads on them."""

import keras
import keras_hub
import numpy as np
from keras import layers, ops

from helpers.normalization import PAD

EPSILON = 1e-5  # keeps a norm from dividing by zero


def rotate(x):
    """Rotary position embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864) of
    float `(batch, sequence, heads, features)`, as KerasHub's `RotaryEmbedding(1000)`.

    NumPy's cosines are constants of the compiled program; otherwise XLA computes them again
    for every head of every row.
    """
    length = ops.shape(x)[1]
    half = x.shape[-1] // 2
    numbers = np if isinstance(length, int) else ops  # some backends only know it later
    speeds = (1000.0 ** (-np.arange(half) / half)).astype("float32")
    angles = numbers.arange(length, dtype="float32")[:, None, None] * speeds
    cosine = ops.cast(numbers.cos(angles), x.dtype)
    sine = ops.cast(numbers.sin(angles), x.dtype)
    first, second = ops.split(x, 2, axis=-1)
    rotated = [first * cosine - second * sine, second * cosine + first * sine]
    return ops.concatenate(rotated, axis=-1)


@keras.saving.register_keras_serializable(package="helpers")
class RotaryBlock(layers.Layer):
    """A pre-norm Transformer block (Xiong et al., 2020, https://arxiv.org/abs/2002.04745)
    with rotary positions, which KerasHub's `TransformerEncoder` lacks, and RMS norm (Zhang
    and Sennrich, 2019, https://arxiv.org/abs/1910.07467). Kernels are matrices, for Muon.

    Takes float `(batch, sequence, hidden)` and a bool mask `(batch, sequence)`, False at
    padding; returns float `(batch, sequence, hidden)`. With int positions `(batch, few)`,
    it computes only the vectors there: `(batch, few, hidden)`.

    Args:
        hidden_dim: int, the width; a multiple of twice `num_heads`.
        num_heads: int.
        intermediate_dim: int, the width inside the feed-forward part.
        dropout: float.
    """

    def __init__(self, hidden_dim, num_heads, intermediate_dim, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {
            "hidden_dim": hidden_dim,
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "dropout": dropout,
        }
        self.num_heads = num_heads

        def dense(units, name, **options):
            return layers.Dense(units, name=name, dtype=self.dtype_policy, **options)

        def norm(name):
            return layers.RMSNormalization(
                epsilon=EPSILON, name=name, dtype=self.dtype_policy
            )

        self.attention_norm = norm("attention_norm")
        self.query = dense(hidden_dim, "query", use_bias=False)
        self.key = dense(hidden_dim, "key", use_bias=False)
        self.value = dense(hidden_dim, "value", use_bias=False)
        self.attention_output = dense(hidden_dim, "attention_output", use_bias=False)
        self.feedforward_norm = norm("feedforward_norm")
        self.feedforward_intermediate = dense(
            intermediate_dim, "feedforward_intermediate", activation="relu"
        )
        self.feedforward_output = dense(hidden_dim, "feedforward_output")
        self.dropout = layers.Dropout(dropout, dtype=self.dtype_policy)

    def split_heads(self, x):
        """From `(batch, sequence, hidden)` to `(batch, sequence, heads, features)`."""
        # The dynamic shape, because an encoder takes rows of any length.
        length = ops.shape(x)[1]
        return ops.reshape(x, (-1, length, self.num_heads, x.shape[-1] // self.num_heads))

    def attention_weights(self, h, padding_mask, positions=None):
        """How much each token attends to each other one, from the normalised vectors: float
        `(batch, heads, from, to)`."""
        query = rotate(self.split_heads(self.query(h)))
        if positions is not None:
            query = ops.take_along_axis(query, positions[:, :, None, None], axis=1)
        key = rotate(self.split_heads(self.key(h)))
        scores = ops.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[-1] ** 0.5
        mask = padding_mask[:, None, None, :]
        return ops.softmax(ops.where(mask, ops.cast(scores, "float32"), -1e9))

    def call(self, x, padding_mask, positions=None):
        h = self.attention_norm(x)
        value = self.split_heads(self.value(h))
        weights = self.attention_weights(h, padding_mask, positions)
        h = ops.einsum("bhqk,bkhd->bqhd", ops.cast(weights, value.dtype), value)
        if positions is not None:
            x = ops.take_along_axis(x, positions[:, :, None], axis=1)
        h = ops.reshape(h, ops.shape(x))
        x = x + self.dropout(self.attention_output(h))
        h = self.feedforward_intermediate(self.feedforward_norm(x))
        return x + self.dropout(self.feedforward_output(h))

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@keras.saving.register_keras_serializable(package="helpers")
class Encoder(keras_hub.models.Backbone):
    """An encoder of the series as a KerasHub backbone, for rows of any length: from int
    `(batch, sequence)` to float `(batch, sequence, hidden)`.

    Args:
        encoder: string, the kind of its blocks, "rotary" or "classic".
        vocabulary_size: int, word pieces.
        hidden_dim: int, the width of a token's vector.
        num_layers: int, blocks.
        num_heads: int, attention heads in a block.
        intermediate_dim: int, the width inside the feed-forward part.
        positions: int, the longest row of a classic encoder, which learns a vector for each
            position; a rotary one takes any.
        dropout: float. Initial weights don't depend on it.
        dtype: string or `keras.DTypePolicy`, of all layers; by default Keras' policy.
    """

    def __init__(
        self,
        encoder,
        vocabulary_size,
        hidden_dim,
        num_layers,
        num_heads,
        intermediate_dim,
        positions,
        dropout=0.0,
        name=None,
        trainable=True,
        dtype=None,
    ):
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        if encoder == "rotary":
            embedding = keras_hub.layers.ReversibleEmbedding(
                vocabulary_size,
                hidden_dim,
                embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
                # Otherwise the tied head computes in float32, whatever the policy.
                reverse_dtype=policy.compute_dtype,
                name="token_embedding",
                dtype=policy,
            )
            norm = layers.RMSNormalization
        else:
            embedding = keras_hub.layers.TokenAndPositionEmbedding(
                vocabulary_size,
                positions,
                hidden_dim,
                name="token_embedding",
                dtype=policy,
            )
            norm = layers.LayerNormalization
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        padding_mask = ops.not_equal(token_ids, PAD)
        x = embedding(token_ids)
        x = norm(epsilon=EPSILON, dtype=policy)(x)
        x = layers.Dropout(dropout, dtype=policy)(x)
        for number in range(num_layers):
            if encoder == "rotary":
                block = RotaryBlock(
                    hidden_dim,
                    num_heads,
                    intermediate_dim,
                    dropout,
                    name=f"block_{number}",
                    dtype=policy,
                )
            else:
                block = keras_hub.layers.TransformerEncoder(
                    intermediate_dim,
                    num_heads,
                    dropout=dropout,
                    layer_norm_epsilon=EPSILON,
                    name=f"block_{number}",
                    dtype=policy,
                )
            x = block(x, padding_mask)
        if encoder == "rotary":
            x = norm(epsilon=EPSILON, name="last_norm", dtype=policy)(x)
        super().__init__(token_ids, x, name=name, trainable=trainable, dtype=policy)
        self.encoder = encoder
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.positions = positions
        self.dropout = dropout

    def get_config(self):
        config = super().get_config()
        config.update(
            encoder=self.encoder,
            vocabulary_size=self.vocabulary_size,
            hidden_dim=self.hidden_dim,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            intermediate_dim=self.intermediate_dim,
            positions=self.positions,
            dropout=self.dropout,
        )
        return config


def build_encoder(profile):
    """Builds the profile's `Encoder` with fresh weights."""
    return Encoder(
        profile.encoder,
        profile.vocabulary_size,
        profile.hidden_dim,
        profile.num_layers,
        profile.num_heads,
        profile.intermediate_dim,
        # A classic encoder can't read longer rows than these.
        positions=max(profile.sequence_length, max(profile.sentence_lengths)),
        dropout=profile.dropout,
        name=f"{profile.encoder}_encoder",
    )


def token_embedding(encoder):
    """The `ReversibleEmbedding` of an encoder, to which the masked-word head is tied."""
    layer = encoder.get_layer("token_embedding")
    return getattr(layer, "token_embedding", layer)


def start_from_vectors(encoder, vectors):
    """Initialises an encoder's embedding with word vectors, `(vocabulary, hidden)`, except
    where they are zero, as for special tokens."""
    embeddings = token_embedding(encoder).embeddings
    known = vectors.any(axis=1, keepdims=True)
    embeddings.assign(np.where(known, vectors, ops.convert_to_numpy(embeddings)))


def build_pretraining_model(encoder, log_frequencies):
    """Adds a head to an encoder that predicts masked words, and is tied to the embedding.

    Its bias starts from `log_frequencies`, float `(vocabulary,)`, so that the untrained
    model predicts unigram frequencies. Only masked words are scored, so the last block of a
    rotary encoder computes no other vectors.

    Returns:
        A `keras.Model` from the features of `masking.MaskedBatches` to logits, float
        `(batch, predictions, vocabulary)`.
    """
    mask_positions = keras.Input((None,), dtype="int32", name="mask_positions")
    inputs = {"token_ids": encoder.input, "mask_positions": mask_positions}
    head = keras_hub.layers.MaskedLMHead(
        token_embedding=token_embedding(encoder), name="head"
    )
    if encoder.encoder == "rotary":
        last_block = encoder.get_layer(f"block_{encoder.num_layers - 1}")
        x, padding_mask = last_block.input
        x = last_block(x, padding_mask, positions=mask_positions)
        x = encoder.get_layer("last_norm")(x)
        # The head would select them once more.
        places = ops.cumsum(ops.ones_like(mask_positions), axis=1) - 1
        logits = head(x, mask_positions=places)
    else:
        logits = head(encoder.output, mask_positions=mask_positions)
    # The head's `bias_initializer` would also apply to its Dense layer.
    bias = next(weight for weight in head.weights if weight.name == "output_bias")
    bias.assign(log_frequencies)
    return keras.Model(inputs, logits, name="pretraining_model")


def build_classifier(encoder, num_classes, dropout):
    """Adds pooling without padding, dropout and a Dense layer to an encoder: a
    `keras.Model` from int `(batch, sequence)` to logits, float32 `(batch, num_classes)`."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    pool = layers.GlobalAveragePooling1D(dtype="float32")
    x = pool(encoder(token_ids), mask=ops.not_equal(token_ids, PAD))
    x = layers.Dropout(dropout, dtype="float32")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="head")(x)
    return keras.Model(token_ids, logits, name="classifier")


def predict(model, inputs, batch_size=256):
    """Like `model.predict`, float32 `(rows, ...)`, but with equal batches: only one shape
    has to be compiled, and all devices can share it.

    Args:
        model: a `keras.Model` with one output.
        inputs: array `(rows, ...)`, or a list or dict of such arrays.
        batch_size: int.
    """
    rows = len(keras.tree.flatten(inputs)[0])

    def fill_up(array):
        widths = [(0, -rows % batch_size)] + [(0, 0)] * (array.ndim - 1)
        return np.pad(array, widths)

    inputs = keras.tree.map_structure(fill_up, inputs)
    return model.predict(inputs, batch_size, verbose=0)[:rows].astype("float32")


def class_probabilities(model, token_ids):
    """A classifier's probabilities for each sentence: float `(sentences, classes)`."""
    return ops.convert_to_numpy(ops.softmax(predict(model, token_ids)))
