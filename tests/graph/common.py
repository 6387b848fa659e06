"""What the tests of the graph share: operations in every form, and numerical derivatives."""

from __future__ import annotations

import inspect

import numpy as np

import symgraph as sg
import symgraph.tensor as T


def here() -> str:
    """The caller's place as an origin shows it: the file's name, without its line."""
    return inspect.stack()[1].filename.rpartition("/")[2]


def line_of(code, text: str) -> int:
    """The line in the source of a function that holds a text."""
    lines, start = inspect.getsourcelines(code)
    return start + next(i for i, line in enumerate(lines) if text in line)


class Scaled(sg.Op):
    """``factor * x``, in Theano's form: props, make_node, perform, grad and R_op."""

    __props__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def make_node(self, x):
        x = T.as_tensor_variable(x)
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage):
        (x,), (out,) = inputs, output_storage
        out[0] = np.asarray(x * self.factor, x.dtype)

    def infer_shape(self, node, input_shapes):
        return input_shapes

    def grad(self, inputs, output_gradients):
        return [output_gradients[0] * self.factor]

    def R_op(self, inputs, eval_points):
        return [None if eval_points[0] is None else eval_points[0] * self.factor]


class SumAndProduct(sg.Op):
    """Two outputs: x + y and x * y. It has no R_op, so that `Rop` goes by two backward passes."""

    __props__ = ()

    def make_node(self, x, y):
        x, y = T.as_tensor_variable(x), T.as_tensor_variable(y)
        return sg.Apply(self, [x, y], [x.type(), x.type()])

    def perform(self, node, inputs, output_storage):
        x, y = inputs
        output_storage[0][0] = np.asarray(x + y)
        output_storage[1][0] = np.asarray(x * y)

    def L_op(self, inputs, outputs, output_gradients):
        x, y = inputs
        total, product = output_gradients
        gx, gy = [], []
        if not isinstance(total.type, sg.graph.DisconnectedType):
            gx.append(total)
            gy.append(total)
        if not isinstance(product.type, sg.graph.DisconnectedType):
            gx.append(product * y)
            gy.append(product * x)
        return [sum(gx[1:], gx[0]), sum(gy[1:], gy[0])]


def numerical_gradient(f, values, step=1e-6):
    """Central differences of a scalar function of arrays, by each of them."""
    result = []
    for position, value in enumerate(values):
        gradient = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = [v.copy() for v in values]
                moved[position][index] += sign * step
                ends.append(float(f(*moved)))
            gradient[index] = (ends[0] - ends[1]) / (2 * step)
        result.append(gradient)
    return result


def run(variable, values):
    """What an expression gives for the values it needs of those given: a float or an array."""
    inputs = sg.graph.graph_inputs([variable])
    result = variable.eval({key: value for key, value in values.items() if key in inputs})
    return float(result) if result.ndim == 0 else result
