"""The encoders of the series, as built in notebook 3, and the heads on them."""

import keras
import keras_hub
import numpy as np
from keras import layers, ops

from helpers.normalization import PAD

EPSILON = 1e-5  # keeps a norm from dividing by zero


@keras.saving.register_keras_serializable(package="helpers")
class RotaryAttention(layers.Layer):
    """Self-attention with rotary position embedding (Su et al., 2021,
    https://arxiv.org/abs/2104.09864), which KerasHub's `TransformerEncoder` lacks.

    The layer has no weights; the Dense layers around it do.

    Takes queries, keys and values, each float `(batch, sequence, hidden)`, and a bool mask
    `(batch, sequence)`, False at padding; returns float `(batch, sequence, hidden)`. The
    width must be a multiple of twice `num_heads`.
    """

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.built = True

    def rotary(self, x):
        """Rotates `(batch, sequence, heads, width)`, as KerasHub's `RotaryEmbedding(1000)`.

        NumPy's cosines are constants of the compiled program; otherwise XLA computes them
        again for every head of every row.
        """
        length = ops.shape(x)[1]
        half = x.shape[-1] // 2
        numbers = np if isinstance(length, int) else ops  # some backends only know it later
        rates = (1000.0 ** (-np.arange(half) / half)).astype("float32")
        angles = numbers.arange(length, dtype="float32")[:, None, None] * rates
        cosine = ops.cast(numbers.cos(angles), x.dtype)
        sine = ops.cast(numbers.sin(angles), x.dtype)
        first, second = ops.split(x, 2, axis=-1)
        rotated = [first * cosine - second * sine, second * cosine + first * sine]
        return ops.concatenate(rotated, axis=-1)

    def call(self, query, key, value, padding_mask):
        # The dynamic shape, because an encoder takes rows of any length.
        length = ops.shape(query)[1]
        width = query.shape[-1]
        heads = (-1, length, self.num_heads, width // self.num_heads)
        query = self.rotary(ops.reshape(query, heads))
        key = self.rotary(ops.reshape(key, heads))
        value = ops.reshape(value, heads)
        scores = ops.einsum("bqhd,bkhd->bhqk", query, key) / heads[-1] ** 0.5
        mask = padding_mask[:, None, None, :]  # (batch, heads, query, key)
        scores = ops.where(mask, ops.cast(scores, "float32"), -1e9)
        shares = ops.cast(ops.softmax(scores), value.dtype)
        x = ops.einsum("bhqk,bkhd->bqhd", shares, value)
        return ops.reshape(x, (-1, length, width))

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


def _rotary_block(x, padding_mask, number, num_heads, intermediate_dim, dropout, dtype):
    """A pre-norm block (Xiong et al., 2020, https://arxiv.org/abs/2002.04745) with RMS norm
    (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467): `(batch, sequence,
    hidden)`. Kernels are matrices, for Muon, and have names by which devices split them."""
    width = x.shape[-1]

    def dense(part, units, **options):
        name = f"block_{number}_{part}"
        return layers.Dense(units, name=name, dtype=dtype, **options)

    h = layers.RMSNormalization(epsilon=EPSILON, dtype=dtype)(x)
    query = dense("query", width, use_bias=False)(h)
    key = dense("key", width, use_bias=False)(h)
    value = dense("value", width, use_bias=False)(h)
    h = RotaryAttention(num_heads, dtype=dtype)(query, key, value, padding_mask)
    h = dense("attention_output", width, use_bias=False)(h)
    x = x + layers.Dropout(dropout, dtype=dtype)(h)
    h = layers.RMSNormalization(epsilon=EPSILON, dtype=dtype)(x)
    h = dense("feedforward_intermediate", intermediate_dim, activation="relu")(h)
    h = dense("feedforward_output", width)(h)
    return x + layers.Dropout(dropout, dtype=dtype)(h)


def _classic_block(x, padding_mask, number, num_heads, intermediate_dim, dropout, dtype):
    """KerasHub's post-norm Transformer block, with arguments as in `_rotary_block`."""
    block = keras_hub.layers.TransformerEncoder(
        intermediate_dim,
        num_heads,
        dropout=dropout,
        layer_norm_epsilon=EPSILON,
        name=f"layer_{number}",
        dtype=dtype,
    )
    return block(x, padding_mask)


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
            block = _rotary_block
        else:
            embedding = keras_hub.layers.TokenAndPositionEmbedding(
                vocabulary_size,
                positions,
                hidden_dim,
                name="token_embedding",
                dtype=policy,
            )
            norm = layers.LayerNormalization
            block = _classic_block
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        padding_mask = ops.not_equal(token_ids, PAD)
        x = embedding(token_ids)
        x = norm(epsilon=EPSILON, dtype=policy)(x)
        x = layers.Dropout(dropout, dtype=policy)(x)
        for number in range(num_layers):
            x = block(x, padding_mask, number, num_heads, intermediate_dim, dropout, policy)
        if encoder == "rotary":
            x = norm(epsilon=EPSILON, dtype=policy)(x)
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


def build_encoder(profile, dropout=None):
    """Builds the profile's `Encoder` with fresh weights, with another dropout if given."""
    return Encoder(
        profile.encoder,
        profile.vocabulary_size,
        profile.hidden_dim,
        profile.num_layers,
        profile.num_heads,
        profile.intermediate_dim,
        # A classic encoder can't read longer rows than these.
        positions=max(profile.sequence_length, max(profile.sentence_lengths)),
        dropout=profile.dropout if dropout is None else dropout,
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
    model predicts unigram frequencies.

    Returns:
        A `keras.Model` from the features of `masking.MaskedBatches` to logits, float
        `(batch, predictions, vocabulary)`.
    """
    mask_positions = keras.Input((None,), dtype="int32", name="mask_positions")
    inputs = {"token_ids": encoder.input, "mask_positions": mask_positions}
    head = keras_hub.layers.MaskedLMHead(token_embedding=token_embedding(encoder))
    logits = head(encoder.output, mask_positions=mask_positions)
    # The head's `bias_initializer` would also apply to its Dense layer.
    bias = next(weight for weight in head.weights if weight.name == "output_bias")
    bias.assign(log_frequencies)
    return keras.Model(inputs, logits, name="pretraining_model")


def build_classifier(encoder, num_classes, dropout, pool=layers.GlobalAveragePooling1D):
    """Adds pooling without padding, dropout and a Dense layer to an encoder: a
    `keras.Model` from int `(batch, sequence)` to logits, float32 `(batch, num_classes)`.
    `pool` is the class of a layer that is called with the tokens' vectors and a mask."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = pool(dtype="float32")(encoder(token_ids), mask=ops.not_equal(token_ids, PAD))
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
