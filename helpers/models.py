"""The encoders of the series and the heads that go on them.

Notebook 03 writes both encoders out and checks that these agree with them.
"""

import keras
import keras_hub
import numpy as np
from keras import layers, ops

# The id of [PAD], in a learnt vocabulary as in BERT's.
PADDING_ID = 0


@keras.saving.register_keras_serializable(package="helpers")
class RotaryAttention(layers.Layer):
    """Self-attention whose queries and keys are turned by their position.

    Rotary position embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864). The
    layer has no weights: the Dense layers before and after it have them. KerasHub's
    `TransformerEncoder` has no place for a rotation between its projections and its
    attention.

    Args:
        num_heads: int, attention heads; twice their number divides the width.
        max_wavelength: int, tokens in a turn of the slowest pair of numbers.

    Call arguments:
        inputs: float tensor, `(batch, sequence, 3 * hidden)`: queries, keys, values.
        padding_mask: bool tensor, `(batch, sequence)`, False where a token is padding.

    Returns:
        A float tensor, `(batch, sequence, hidden)`.

    Example:

    ```python
    inputs = keras.random.normal((4, 64, 3 * 128))
    RotaryAttention(num_heads=2)(inputs, keras.ops.ones((4, 64), "bool")).shape
    # (4, 64, 128)
    ```
    """

    def __init__(self, num_heads, max_wavelength=1000, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.max_wavelength = max_wavelength
        self.rotary = keras_hub.layers.RotaryEmbedding(
            max_wavelength, dtype=self.dtype_policy
        )
        self.built = True

    def _turned(self, inputs):
        """Queries and keys, turned, and values: `(batch, sequence, heads, size)` each."""
        # The backend's shape, because an encoder takes rows of any length.
        length, width = ops.shape(inputs)[1], inputs.shape[-1]
        heads = (-1, length, self.num_heads, width // (3 * self.num_heads))
        query, key, value = (
            ops.reshape(part, heads) for part in ops.split(inputs, 3, axis=-1)
        )
        return self.rotary(query), self.rotary(key), value

    def call(self, inputs, padding_mask):
        query, key, value = self._turned(inputs)
        outputs = ops.dot_product_attention(
            query, key, value, mask=padding_mask[:, None, None, :]
        )
        return ops.reshape(outputs, (-1, ops.shape(inputs)[1], inputs.shape[-1] // 3))

    def attention(self, inputs):
        """How much each token looks at each other one, where nothing is padding.

        Args:
            inputs: as for a call.

        Returns:
            A float32 tensor, `(batch, heads, sequence, sequence)`, each row with sum 1.
        """
        query, key, _ = self._turned(inputs)
        scores = ops.cast(ops.einsum("bqhd,bkhd->bhqk", query, key), "float32")
        return ops.softmax(scores / query.shape[-1] ** 0.5)

    def compute_output_shape(self, inputs_shape, padding_mask_shape=None):
        return (*inputs_shape[:-1], inputs_shape[-1] // 3)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "max_wavelength": self.max_wavelength,
        }


def rotary_block(x, padding_mask, num_heads, intermediate_dim, dropout, epsilon, name):
    """A pre-norm Transformer block with rotary attention.

    Pre-norm (Xiong et al., 2020, https://arxiv.org/abs/2002.04745) with RMS norm (Zhang
    and Sennrich, 2019, https://arxiv.org/abs/1910.07467). One Dense makes queries, keys
    and values: a two-dimensional kernel is what Muon takes.

    Args:
        x: float tensor, `(batch, sequence, hidden)`.
        padding_mask: bool tensor, `(batch, sequence)`.
        num_heads: int, attention heads.
        intermediate_dim: int, width inside the feed-forward part.
        dropout: float, rate at the end of each of the two parts.
        epsilon: float, added to the mean square in the norms.
        name: string, begins the names of the Dense layers, by which `devices` splits them.

    Returns:
        A float tensor, `(batch, sequence, hidden)`.
    """
    hidden_dim = x.shape[-1]
    h = layers.RMSNormalization(epsilon=epsilon)(x)
    h = layers.Dense(3 * hidden_dim, use_bias=False, name=f"{name}_query_key_value")(h)
    h = RotaryAttention(num_heads)(h, padding_mask)
    h = layers.Dense(hidden_dim, use_bias=False, name=f"{name}_attention_dense")(h)
    x = x + layers.Dropout(dropout)(h)
    h = layers.RMSNormalization(epsilon=epsilon)(x)
    h = layers.Dense(
        intermediate_dim, activation="relu", name=f"{name}_feedforward_intermediate_dense"
    )(h)
    h = layers.Dense(hidden_dim, name=f"{name}_feedforward_output_dense")(h)
    return x + layers.Dropout(dropout)(h)


def attention_mask(token_ids, profile):
    """Which tokens the others attend to: all but padding, or all (`attend_padding`).

    Args:
        token_ids: int tensor, `(batch, sequence)`.
        profile: a `Profile`.

    Returns:
        A bool tensor, `(batch, sequence)`.
    """
    if profile.attend_padding:
        return ops.ones_like(token_ids, dtype="bool")
    return ops.not_equal(token_ids, PADDING_ID)


def rotary_encoder(profile, dropout):
    """An encoder of `rotary_block`s. Arguments and return as in `build_encoder`."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    padding_mask = attention_mask(token_ids, profile)
    x = keras_hub.layers.ReversibleEmbedding(
        profile.vocabulary_size,
        profile.hidden_dim,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
        name="token_embedding",
    )(token_ids)
    x = layers.RMSNormalization(epsilon=profile.layer_norm_epsilon)(x)
    x = layers.Dropout(dropout)(x)
    for number in range(profile.num_layers):
        x = rotary_block(
            x,
            padding_mask,
            profile.num_heads,
            profile.intermediate_dim,
            dropout,
            profile.layer_norm_epsilon,
            f"block_{number}",
        )
    x = layers.RMSNormalization(epsilon=profile.layer_norm_epsilon)(x)
    return keras.Model(token_ids, x, name="rotary_encoder")


def classic_encoder(profile, dropout):
    """An encoder of KerasHub's layers. Arguments and return as in `build_encoder`."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    padding_mask = attention_mask(token_ids, profile)
    x = keras_hub.layers.TokenAndPositionEmbedding(
        vocabulary_size=profile.vocabulary_size,
        # The positions that pretraining learns are all there are.
        sequence_length=max(profile.sequence_length, profile.sentence_length),
        embedding_dim=profile.hidden_dim,
        name="token_embedding",
    )(token_ids)
    x = layers.LayerNormalization(epsilon=profile.layer_norm_epsilon)(x)
    x = layers.Dropout(dropout)(x)
    for _ in range(profile.num_layers):
        x = keras_hub.layers.TransformerEncoder(
            intermediate_dim=profile.intermediate_dim,
            num_heads=profile.num_heads,
            dropout=dropout,
            layer_norm_epsilon=profile.layer_norm_epsilon,
        )(x, padding_mask=padding_mask)
    return keras.Model(token_ids, x, name="classic_encoder")


def build_encoder(profile, dropout=None):
    """Builds the profile's encoder with fresh weights, for rows of any length.

    Weights don't depend on `dropout`: an encoder that was pretrained without hands its
    weights to one with.

    Args:
        profile: a `Profile`.
        dropout: float; the profile's by default.

    Returns:
        A `keras.Model` from token ids, int `(batch, sequence)`, to float
        `(batch, sequence, hidden)`.
    """
    build = {"rotary": rotary_encoder, "classic": classic_encoder}[profile.encoder]
    return build(profile, profile.dropout if dropout is None else dropout)


def attention_maps(encoder, token_ids):
    """How much each token looks at each other one, in every block and head.

    Args:
        encoder: a model from `build_encoder`.
        token_ids: int array, `(batch, sequence)`, without padding.

    Returns:
        A float32 array, `(blocks, batch, heads, sequence, sequence)`, each row with sum 1.
    """
    classic = keras_hub.layers.TransformerEncoder
    found = [
        layer for layer in encoder.layers if isinstance(layer, (RotaryAttention, classic))
    ]
    # A layer may also take a mask, after the tensor that it works on.
    inputs = [keras.tree.flatten(layer.input)[0] for layer in found]
    maps = [
        layer(x, return_attention_scores=True)[1]
        if isinstance(layer, classic)
        else layer.attention(x)
        for layer, x in zip(
            found, keras.Model(encoder.input, inputs)(token_ids), strict=True
        )
    ]
    return np.stack([ops.convert_to_numpy(one).astype("float32") for one in maps])


def token_embedding(encoder):
    """The `ReversibleEmbedding` of an encoder, which the masked-word head is tied to."""
    layer = encoder.get_layer("token_embedding")
    return getattr(layer, "token_embedding", layer)


def start_from_vectors(encoder, vectors):
    """Puts word vectors into an encoder's embedding.

    A row of zeros, as special tokens have, leaves the token's random start.

    Args:
        encoder: a model from `build_encoder`.
        vectors: float array, `(vocabulary, hidden)`.
    """
    embedding = token_embedding(encoder)
    start = ops.convert_to_numpy(embedding.embeddings)
    known = (vectors != 0).any(axis=1, keepdims=True)
    embedding.embeddings.assign(known * vectors + ~known * start)


def build_pretraining_model(encoder, profile, log_frequencies):
    """Adds what pretraining needs to an encoder: a head for each of its games.

    The masked-word head is tied to the embedding. The second head, where the profile has
    a `neighbour_weight`, has no weights: see `neighbour_similarity`.

    Args:
        encoder: a model from `build_encoder`.
        profile: a `Profile`.
        log_frequencies: float array, `(vocabulary,)`, which the head's bias starts from:
            an untrained model then guesses by frequency; zeros without the profile's
            `frequency_bias`.

    Returns:
        A `keras.Model` from a dict of `token_ids`, int `(batch, sequence)`, and
        `mask_positions`, int `(batch, predictions)`, to a dict of logits:
        `masked_words`, float `(batch, predictions, vocabulary)`, and perhaps
        `neighbours`, float `(batch / 2, batch / 2)`.
    """
    inputs = {
        "token_ids": keras.Input(
            (profile.sequence_length,), dtype="int32", name="token_ids"
        ),
        "mask_positions": keras.Input(
            (profile.predictions_per_sequence,), dtype="int32", name="mask_positions"
        ),
    }
    head = keras_hub.layers.MaskedLMHead(
        token_embedding=token_embedding(encoder), name="masked_lm_head"
    )
    x = encoder(inputs["token_ids"])
    outputs = {"masked_words": head(x, mask_positions=inputs["mask_positions"])}
    if profile.frequency_bias:
        output_bias(head).assign(log_frequencies)
    if profile.neighbour_weight:
        outputs["neighbours"] = neighbour_similarity(x)
    return keras.Model(inputs, outputs, name="pretraining_model")


def neighbour_similarity(x, temperature=0.1):
    """How alike the mean vectors of a batch's rows are: which row goes on in which?

    Rows 2i and 2i + 1 follow each other in the text; the other rows of the batch stand
    for the wrong answers. Logeswaran and Lee (2018, https://arxiv.org/abs/1803.02893)
    trained sentence vectors so; BERT's second game, next-sentence prediction, was the
    same question with yes or no for an answer.

    Args:
        x: float tensor, `(batch, sequence, hidden)`, without padding.
        temperature: float, divides the cosine similarity, which alone is never above 1
            and could not say that it is sure.

    Returns:
        A float tensor, `(batch / 2, batch / 2)`: for each even row the logits of the odd
        rows.
    """
    vectors = ops.normalize(ops.mean(ops.cast(x, "float32"), axis=1), axis=-1)
    pairs = ops.reshape(vectors, (-1, 2, x.shape[-1]))
    return ops.matmul(pairs[:, 0], ops.transpose(pairs[:, 1])) / temperature


def output_bias(head):
    """The bias of a `MaskedLMHead`, float `(vocabulary,)`.

    The layer's `bias_initializer` would reach its Dense layer too.
    """
    return next(weight for weight in head.weights if weight.name == "output_bias")


def class_scores(vectors, num_classes):
    """A Dense layer that scores classes, the first of which always has 0.

    Only differences between scores matter, so that one number is enough for two classes;
    the softmax of these scores is then the sigmoid of it.

    Args:
        vectors: float tensor, `(batch, hidden)`.
        num_classes: int, classes to tell apart.

    Returns:
        A float32 tensor of logits, `(batch, num_classes)`.
    """
    scores = layers.Dense(num_classes - 1, dtype="float32", name="head")(vectors)
    return ops.pad(scores, [[0, 0], [1, 0]])


def build_classifier(encoder, profile, num_classes=2):
    """Adds a mean over the words of a sentence and one Dense to an encoder.

    Args:
        encoder: a model from `build_encoder`.
        profile: a `Profile`. With its `average_padding` the mean includes the padding, as
            in the Keras guide.
        num_classes: int, classes to tell apart.

    Returns:
        A `keras.Model` from token ids, int `(batch, sequence)`, to logits, float32
        `(batch, num_classes)`.
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    words = None if profile.average_padding else ops.not_equal(token_ids, PADDING_ID)
    x = layers.GlobalAveragePooling1D(dtype="float32")(encoder(token_ids), mask=words)
    x = layers.Dropout(profile.head_dropout, dtype="float32")(x)
    return keras.Model(token_ids, class_scores(x, num_classes), name="classifier")
