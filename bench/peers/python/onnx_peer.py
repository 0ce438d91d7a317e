"""ONNX Runtime as a contender: inference only. The graphs are written with `onnx.helper`.

    onnx_peer.py --threads 4
"""

import argparse

import numpy as np
import onnxruntime
from data import chain_factors, hashed_labels, hashed_uniform, sample
from onnx import TensorProto, helper, numpy_helper
from serve import Job, serve

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--threads", type=int, default=1)
options = arguments.parse_args()

OPSET = 20
IR_VERSION = 10
WEIGHT_LIMIT = 0.05
EPSILON = 1e-5


class Graph:
    """Collects nodes and weights; each op returns the name of its output."""

    def __init__(self) -> None:
        self.nodes, self.weights, self.inputs = [], [], {}

    def weight(self, values: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def input(self, values: np.ndarray) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = values
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object):
        names = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def job(self, result: str) -> Job:
        """The inputs are bound once; the output stays in the runtime's memory, as a tensor's would."""
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in self.inputs.items()
        ]
        output = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "work", inputs, [output], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        binding = session.io_binding()
        for name, x in self.inputs.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(x))
        binding.bind_output(result)
        run = lambda: session.run_with_iobinding(binding)
        run()
        return sample(binding.get_outputs()[0].numpy()), run


def matmul(work: dict) -> Job:
    rows, inner, columns = work["rows"], work["inner"], work["columns"]
    batch = (work["batch"],) if work["batch"] > 1 else ()
    graph, last = Graph(), [*range(len(batch)), len(batch) + 1, len(batch)]

    def turned(name: str, transposed: bool) -> str:
        return graph.op("Transpose", name, perm=last) if transposed else name

    if work["products"] > 1:
        x = graph.input(hashed_uniform(1, (inner, inner)))
        for y in chain_factors(work):
            x = graph.op("MatMul", turned(x, work["transposeA"]), turned(graph.input(y), work["transposeB"]))
        return graph.job(x)

    def operand(seed: int, shape: tuple[int, int], transposed: bool) -> str:
        stored = shape[::-1] if transposed else shape
        return turned(graph.input(hashed_uniform(seed, (*batch, *stored))), transposed)

    a = operand(1, (rows, inner), work["transposeA"])
    b = operand(2, (inner, columns), work["transposeB"])
    return graph.job(graph.op("MatMul", a, b))


def softmax(work: dict) -> Job:
    graph = Graph()
    return graph.job(graph.op("Softmax", graph.input(hashed_uniform(1, (work["rows"], work["columns"]), 4)), axis=-1))


def layernorm(work: dict) -> Job:
    graph = Graph()
    x = graph.input(hashed_uniform(1, (work["rows"], work["columns"]), 4))
    weight, bias = (graph.weight(hashed_uniform(seed, (work["columns"],))) for seed in (2, 3))
    return graph.job(graph.op("LayerNormalization", x, weight, bias, epsilon=work["epsilon"]))


def gelu(work: dict) -> Job:
    graph = Graph()
    return graph.job(graph.op("Gelu", graph.input(hashed_uniform(1, (work["elements"],), 4))))


def mlp_forward(work: dict) -> Job:
    graph, sizes = Graph(), work["sizes"]
    x = graph.input(hashed_uniform(10, (work["batchSize"], sizes[0]), 0.5))
    for seed, (inputs, outputs) in enumerate(zip(sizes, sizes[1:]), start=1):
        weight = graph.weight(hashed_uniform(seed, (inputs, outputs), np.sqrt(6 / (inputs + outputs))))
        x = graph.op("Gemm", x, weight, graph.weight(np.zeros(outputs, np.float32)))
        if outputs != sizes[-1]:
            x = graph.op("Relu", x)
    return graph.job(x)


def gpt_forward(work: dict) -> Job:
    graph, seed = Graph(), 0
    width, heads, b, t = work["width"], work["heads"], work["batchSize"], work["context"]
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)

    def filled(*shape: int) -> np.ndarray:
        nonlocal seed
        seed += 1
        return hashed_uniform(seed, shape, WEIGHT_LIMIT)

    def linear(x: str, weight: np.ndarray) -> str:
        product = graph.op("MatMul", x, graph.weight(np.ascontiguousarray(weight.T)))
        return graph.op("Add", product, graph.weight(np.zeros(len(weight), np.float32)))

    def norm(x: str) -> str:
        return graph.op("LayerNormalization", x, graph.weight(ones), graph.weight(zeros), epsilon=EPSILON)

    def shaped(x: str, *shape: int) -> str:
        return graph.op("Reshape", x, graph.weight(np.array(shape, np.int64)))

    tokens = hashed_labels(101, b * t, work["vocabulary"]).reshape(b, t)
    table, positions = filled(work["vocabulary"], width), filled(t, width)
    x = graph.op("Gather", graph.weight(table), graph.input(tokens))
    x = graph.op("Add", x, graph.weight(positions))
    mask = graph.weight(np.triu(np.full((t, t), -np.inf, np.float32), 1))
    for _ in range(work["layers"]):
        weights = [filled(rows * width, width) for rows in (3, 1, 4)] + [filled(width, 4 * width)]
        qkv = graph.op("Split", linear(norm(x), weights[0]), outputs=3, axis=-1, num_outputs=3)
        heads_of = lambda part, perm: graph.op("Transpose", shaped(part, b, t, heads, width // heads), perm=perm)
        q, k, v = (heads_of(part, perm) for part, perm in zip(qkv, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])))
        scale = graph.weight(np.float32((width // heads) ** -0.5))
        scores = graph.op("Add", graph.op("Mul", graph.op("MatMul", q, k), scale), mask)
        attended = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), v)
        joined = shaped(graph.op("Transpose", attended, perm=[0, 2, 1, 3]), b, t, width)
        x = graph.op("Add", x, linear(joined, weights[1]))
        x = graph.op("Add", x, linear(graph.op("Gelu", linear(norm(x), weights[2])), weights[3]))
    return graph.job(graph.op("MatMul", norm(x), graph.weight(np.ascontiguousarray(table.T))))


JOBS = {f.__name__.replace("_", "-"): f for f in (matmul, softmax, layernorm, gelu, mlp_forward, gpt_forward)}


def prepare(work: dict) -> Job | str:
    return JOBS[work["kind"]](work) if work["kind"] in JOBS else "ONNX Runtime has no such work"


if __name__ == "__main__":
    serve("ONNX Runtime", onnxruntime.__version__, options.threads, prepare)
