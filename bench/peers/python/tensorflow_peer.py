"""Keras on TensorFlow as a contender: layers, optimizers and losses of Keras, the step in a `tf.function`.

    tensorflow_peer.py --threads 4
"""

import argparse
import os
from collections.abc import Callable
from functools import reduce

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--threads", type=int, default=1)
options = arguments.parse_args()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from data import chain_factors, hashed_labels, hashed_uniform, sample
from serve import Job, serve

tf.config.threading.set_intra_op_parallelism_threads(options.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)

WEIGHT_LIMIT = 0.05
EPSILON = 1e-5


def uniform(seed: int, *shape: int, limit: float = 1.0) -> tf.Tensor:
    return tf.constant(hashed_uniform(seed, shape, limit))


def once(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> Job:
    compiled = tf.function(function)
    return sample(compiled(*inputs).numpy()), lambda: compiled(*inputs)


def matmul(work: dict) -> Job:
    rows, inner, columns = work["rows"], work["inner"], work["columns"]
    batch = [work["batch"]] if work["batch"] > 1 else []
    flags = {"transpose_a": work["transposeA"], "transpose_b": work["transposeB"]}
    if work["products"] > 1:
        chain = lambda x, *factors: reduce(lambda x, y: tf.matmul(x, y, **flags), factors, x)
        return once(chain, uniform(1, inner, inner), *map(tf.constant, chain_factors(work)))
    a = uniform(1, *batch, *((inner, rows) if work["transposeA"] else (rows, inner)))
    b = uniform(2, *batch, *((columns, inner) if work["transposeB"] else (inner, columns)))
    return once(lambda a, b: tf.matmul(a, b, **flags), a, b)


def softmax(work: dict) -> Job:
    return once(keras.ops.softmax, uniform(1, work["rows"], work["columns"], limit=4))


def gelu(work: dict) -> Job:
    return once(lambda x: keras.ops.gelu(x, approximate=False), uniform(1, work["elements"], limit=4))


def layernorm(work: dict) -> Job:
    layer = keras.layers.LayerNormalization(epsilon=work["epsilon"])
    x = uniform(1, work["rows"], work["columns"], limit=4)
    layer.build(x.shape)
    layer.set_weights([hashed_uniform(seed, (work["columns"],)) for seed in (2, 3)])
    return once(layer, x)


def training(model: keras.Model, optimizer: keras.optimizers.Optimizer, batches: list) -> Job:
    """A step on the next of the batches; returns its loss."""
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def train(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    position = 0

    def step() -> tf.Tensor:
        nonlocal position
        x, y = batches[position]
        position = (position + 1) % len(batches)
        return train(tf.convert_to_tensor(x), tf.convert_to_tensor(y))

    optimizer.build(model.trainable_variables)
    return [float(step()) for _ in range(3)], step


def classifier(sizes: list[int]) -> keras.Model:
    layers = [keras.Input((sizes[0],))]
    layers += [keras.layers.Dense(width, activation="relu") for width in sizes[1:-1]]
    model = keras.Sequential([*layers, keras.layers.Dense(sizes[-1])])
    weights = []
    for seed, (inputs, outputs) in enumerate(zip(sizes, sizes[1:]), start=1):
        limit = np.sqrt(6 / (inputs + outputs))
        weights += [hashed_uniform(seed, (inputs, outputs), limit), np.zeros(outputs, np.float32)]
    model.set_weights(weights)
    return model


def mlp(work: dict) -> Job:
    sizes, batch, batches = work["sizes"], work["batchSize"], work["batches"]
    images = hashed_uniform(10, (batches, batch, sizes[0]), 0.5) + np.float32(0.5)
    labels = hashed_labels(11, batches * batch, sizes[-1]).reshape(-1, batch)
    # PyTorch's epsilon; Keras's own default is 1e-7.
    optimizer = keras.optimizers.Adam(work["learningRate"], epsilon=1e-8)
    return training(classifier(sizes), optimizer, list(zip(images, labels)))


def cnn(work: dict) -> Job:
    """Channels last, Keras's layout: kernels and the dense layer's rows are brought to it from PyTorch's."""
    (first, second), hidden, classes = work["channels"], work["hidden"], work["classes"]
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(first, 3, activation="relu"),
            keras.layers.Conv2D(second, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(hidden, activation="relu"),
            keras.layers.Dense(classes),
        ]
    )
    filled = lambda seed, *shape: hashed_uniform(seed, shape, glorot(shape))
    kernels = [filled(1, first, 1, 3, 3), filled(2, second, first, 3, 3)]
    rows = filled(3, hidden, second * 144).reshape(hidden, second, 12, 12)
    weights = [kernel.transpose(2, 3, 1, 0) for kernel in kernels]
    weights += [rows.transpose(2, 3, 1, 0).reshape(-1, hidden), filled(4, classes, hidden).T]
    model.set_weights([part for w in weights for part in (w, np.zeros(w.shape[-1], np.float32))])
    batch, batches = work["batchSize"], work["batches"]
    images = hashed_uniform(10, (batches, batch, 28, 28, 1), 0.5) + np.float32(0.5)
    labels = hashed_labels(11, batches * batch, classes).reshape(-1, batch)
    optimizer = keras.optimizers.Adam(work["learningRate"], epsilon=1e-8)
    return training(model, optimizer, list(zip(images, labels)))


def glorot(shape: tuple[int, ...]) -> float:
    return np.sqrt(6 / (np.prod(shape[2:]) * (shape[0] + shape[1])))


def mlp_forward(work: dict) -> Job:
    return once(classifier(work["sizes"]), uniform(10, work["batchSize"], work["sizes"][0], limit=0.5))


class Gpt(keras.Model):
    """Weights in the order of the other contenders: tables, then four linear maps a block."""

    def __init__(self, work: dict) -> None:
        super().__init__()
        self.work, width = work, work["width"]
        seeds = iter(range(1, 3 + 4 * work["layers"]))
        fixed = lambda values: (lambda shape, dtype=None: tf.constant(values))
        filled = lambda *shape: hashed_uniform(next(seeds), shape, WEIGHT_LIMIT)
        dense = lambda inputs, outputs: keras.layers.Dense(outputs, kernel_initializer=fixed(filled(outputs, inputs).T))
        norm = lambda: keras.layers.LayerNormalization(epsilon=EPSILON)
        table = lambda rows, name: self.add_weight(
            shape=(rows, width), initializer=fixed(filled(rows, width)), name=name
        )
        self.tokens, self.positions = table(work["vocabulary"], "tokens"), table(work["context"], "positions")
        self.blocks = [
            (norm(), dense(width, 3 * width), dense(width, width), norm(), dense(width, 4 * width), dense(4 * width, width))
            for _ in range(work["layers"])
        ]
        self.parts = [layer for block in self.blocks for layer in block]  # so that Keras tracks them
        self.norm = norm()

    def attention(self, x: tf.Tensor, qkv: keras.layers.Layer, out: keras.layers.Layer) -> tf.Tensor:
        b, t, c = x.shape
        heads = self.work["heads"]
        q, k, v = (
            tf.transpose(tf.reshape(part, (b, t, heads, c // heads)), (0, 2, 1, 3))
            for part in tf.split(qkv(x), 3, axis=-1)
        )
        scores = tf.matmul(q, k, transpose_b=True) * (c // heads) ** -0.5
        mask = tf.linalg.band_part(tf.ones((t, t), tf.bool), -1, 0)
        attended = tf.matmul(tf.nn.softmax(tf.where(mask, scores, -np.inf)), v)
        return out(tf.reshape(tf.transpose(attended, (0, 2, 1, 3)), (b, t, c)))

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        x = tf.gather(self.tokens, tokens) + self.positions
        for norm, qkv, attention_out, hidden_norm, hidden, hidden_out in self.blocks:
            x = x + self.attention(norm(x), qkv, attention_out)
            x = x + hidden_out(keras.ops.gelu(hidden(hidden_norm(x)), approximate=False))
        return tf.matmul(self.norm(x), self.tokens, transpose_b=True)


def tokens_of(work: dict, seed: int) -> np.ndarray:
    size = (work["batches"], work["batchSize"], work["context"])
    return hashed_labels(seed, int(np.prod(size)), work["vocabulary"]).reshape(size)


def gpt(work: dict) -> Job:
    model = Gpt(work)
    inputs, targets = tokens_of(work, 101), tokens_of(work, 102)
    model(tf.constant(inputs[0]))
    optimizer = keras.optimizers.AdamW(work["learningRate"], weight_decay=work["weightDecay"], epsilon=1e-8)
    return training(model, optimizer, list(zip(inputs, targets)))


def gpt_forward(work: dict) -> Job:
    return once(Gpt(work), tf.constant(tokens_of({**work, "batches": 1}, 101)[0]))


def attention(work: dict) -> Job:
    """softmax(q·kᵀ/√size)·v."""
    length, size = work["length"], work["size"]
    q, k, v = (uniform(seed, work["batch"], work["heads"], length, size) for seed in (1, 2, 3))
    past = tf.linalg.band_part(tf.ones((length, length), tf.bool), -1, 0 if work["causal"] else -1)

    def forward(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        scores = tf.matmul(q, k, transpose_b=True) * size**-0.5
        return tf.matmul(tf.nn.softmax(tf.where(past, scores, -np.inf) if work["causal"] else scores), v)

    return once(forward, q, k, v)


def call(work: dict) -> Job:
    return once(lambda x: x + 1, uniform(1, work["elements"]))


JOBS = {
    f.__name__.replace("_", "-"): f
    for f in (mlp, cnn, matmul, softmax, layernorm, gelu, gpt, mlp_forward, gpt_forward, attention, call)
}


def prepare(work: dict) -> Job | str:
    return JOBS[work["kind"]](work) if work["kind"] in JOBS else "Keras has no such work"


if __name__ == "__main__":
    # Results are there when a call returns, except that reading one is what makes sure.
    serve("Keras on TensorFlow", tf.__version__, options.threads, prepare, lambda result: result.numpy())
