"""Logistic regression written by hand in NumPy: the peers our compiled step is measured against.

All three do the same arithmetic in float32, from the same zero start, on the same minibatches:

`Plain`
    As somebody who knows the derivative would write it down: clear, a new array for every line.
`Tuned`
    The same lines with the derivative simplified, every result written into an array made beforehand (``out=``) and
    the parameters changed in place.
`ClassMajor`
    `Tuned`, with the scores stored one class a row, so that maxima and sums run along the long axis, where NumPy's
    loops are vectorised. How far layout alone can go; not something to expect of a user.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClassMajor", "Plain", "Tuned", "Twin"]

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]


class Twin:
    """A training step over minibatches of `images` and `labels`; calling it with an index trains and returns the cost.

    Parameters
    ----------
    images : float32 array (examples, pixels)
    labels : int32 array (examples,)
    batch_size : int
    learning_rate : float
    classes : int
    """

    def __init__(
        self, images: Floats, labels: Labels, batch_size: int, learning_rate: float, classes: int = 10
    ) -> None:
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.W: Floats = np.zeros((images.shape[1], classes), dtype=np.float32)
        self.b: Floats = np.zeros(classes, dtype=np.float32)

    def __call__(self, index: int) -> np.floating:
        raise NotImplementedError

    def minibatch(self, index: int) -> tuple[Floats, Labels]:
        chosen = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.images[chosen], self.labels[chosen]


class Plain(Twin):
    """One line of NumPy for one line of mathematics."""

    def __call__(self, index: int) -> np.floating:
        x, y = self.minibatch(index)
        rows = np.arange(len(y))
        scores = x @ self.W + self.b
        scores = scores - scores.max(axis=1, keepdims=True)
        exponentials = np.exp(scores)
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        cost = -np.mean(np.log(probabilities)[rows, y])

        slope = probabilities.copy()
        slope[rows, y] -= 1
        slope = slope / len(y)
        gradient_W = x.T @ slope
        gradient_b = slope.sum(axis=0)
        self.W = self.W - self.learning_rate * gradient_W
        self.b = self.b - self.learning_rate * gradient_b
        return cost


class Tuned(Twin):
    """No new array of any size in a step; the step size is multiplied in where the arrays are small."""

    def __init__(
        self, images: Floats, labels: Labels, batch_size: int, learning_rate: float, classes: int = 10
    ) -> None:
        super().__init__(images, labels, batch_size, learning_rate, classes)
        self.rows = np.arange(batch_size)
        self.rate = np.float32(learning_rate / batch_size)
        self.scores = np.empty((batch_size, classes), dtype=np.float32)
        self.slope = np.empty_like(self.scores)
        self.per_example = np.empty((batch_size, 1), dtype=np.float32)
        self.log_sums = np.empty_like(self.per_example)
        self.change_W = np.empty_like(self.W)
        self.change_b = np.empty_like(self.b)

    def __call__(self, index: int) -> np.floating:
        x, y = self.minibatch(index)
        scores, slope, per_example = self.scores, self.slope, self.per_example
        np.dot(x, self.W, out=scores)
        np.add(scores, self.b, out=scores)
        np.max(scores, axis=1, keepdims=True, out=per_example)
        np.subtract(scores, per_example, out=scores)
        np.exp(scores, out=slope)
        np.sum(slope, axis=1, keepdims=True, out=per_example)
        np.log(per_example, out=self.log_sums)
        cost = np.mean(self.log_sums[:, 0] - scores[self.rows, y])

        np.divide(slope, per_example, out=slope)
        slope[self.rows, y] -= 1
        np.multiply(slope, self.rate, out=slope)
        np.dot(x.T, slope, out=self.change_W)
        np.sum(slope, axis=0, out=self.change_b)
        np.subtract(self.W, self.change_W, out=self.W)
        np.subtract(self.b, self.change_b, out=self.b)
        return cost


class ClassMajor(Twin):
    """`Tuned` with classes along the rows of every intermediate array."""

    def __init__(
        self, images: Floats, labels: Labels, batch_size: int, learning_rate: float, classes: int = 10
    ) -> None:
        super().__init__(images, labels, batch_size, learning_rate, classes)
        self.columns = np.arange(batch_size)
        self.rate = np.float32(learning_rate / batch_size)
        self.product = np.empty((batch_size, classes), dtype=np.float32)
        self.scores = np.empty((classes, batch_size), dtype=np.float32)
        self.slope = np.empty_like(self.scores)
        self.per_example = np.empty(batch_size, dtype=np.float32)
        self.log_sums = np.empty_like(self.per_example)
        self.change_W = np.empty((classes, images.shape[1]), dtype=np.float32)
        self.change_b = np.empty_like(self.b)

    def __call__(self, index: int) -> np.floating:
        x, y = self.minibatch(index)
        scores, slope, per_example = self.scores, self.slope, self.per_example
        np.dot(x, self.W, out=self.product)
        np.add(self.product.T, self.b[:, None], out=scores)
        np.maximum.reduce(scores, axis=0, out=per_example)
        np.subtract(scores, per_example, out=scores)
        np.exp(scores, out=slope)
        np.add.reduce(slope, axis=0, out=per_example)
        np.log(per_example, out=self.log_sums)
        cost = np.mean(self.log_sums - scores[y, self.columns])

        np.divide(slope, per_example, out=slope)
        slope[y, self.columns] -= 1
        np.multiply(slope, self.rate, out=slope)
        np.dot(slope, x, out=self.change_W)
        np.add.reduce(slope, axis=1, out=self.change_b)
        np.subtract(self.W, self.change_W.T, out=self.W)
        np.subtract(self.b, self.change_b, out=self.b)
        return cost
