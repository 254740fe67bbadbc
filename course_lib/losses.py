"""What training makes small, with its gradient, and what it is judged by.

Both losses are means over the batch. The 1/N lives in the gradient returned here and nowhere else.
"""

import numpy as np
import numpy.typing as npt

from ._ranges import number
from ._typing import Array, IntArray
from .parameters import check_floats, is_floats


def softmax(logits: Array) -> Array:
    """Turn each row of scores into probabilities: `exp(z) / sum(exp(z))`.

    Subtracting the largest score of a row changes nothing in the result and keeps `exp` from overflowing.

    Args:
        logits: scores, shape (N, C), or (C,) for one example.

    Returns:
        Probabilities, of the same shape; each row sums to 1.
    """
    exps: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    exps /= exps.sum(axis=-1, keepdims=True)
    return exps


def softmax_cross_entropy(logits: Array, labels: IntArray, label_smoothing: float = 0.0) -> tuple[float, Array]:
    """Softmax and cross-entropy in one step: the mean surprise at the right class, and its gradient.

    loss = mean over rows of `-log(softmax(logits)[label])`, and `dlogits = (softmax(logits) - one_hot(labels)) / N`
    (Bishop, Pattern Recognition and Machine Learning, equations 4.107 to 4.109). PyTorch's `cross_entropy` is the same.

    Label smoothing asks for a little of every class: the target is `1 - s` on the right class plus `s / C` on each of
    the C, with s = `label_smoothing` (Szegedy et al. 2016, Rethinking the Inception Architecture, section 7).

    Args:
        logits: scores, shape (N, C), float32 or float64.
        labels: right classes, whole numbers from 0 to C - 1, shape (N,).
        label_smoothing: share of the target spread evenly over all classes, from 0 to 1.

    Returns:
        The loss, at least 0, and its gradient with respect to the logits, shape (N, C).

    Raises:
        ValueError: shapes that do not fit, an empty batch, a label outside 0 to C - 1, or smoothing outside 0 to 1.
        TypeError: logits that are not float32 or float64, or labels that are not whole numbers.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    check_labels(logits, labels)
    if label_smoothing:
        label_smoothing = number("softmax_cross_entropy", "label_smoothing", label_smoothing, at_least=0, at_most=1)
    n, classes = logits.shape
    # Classes first: NumPy is quick along the few long rows that this gives, and slow along many short ones.
    z = logits.T.copy()
    # Where the right class of each example is, in z read as one long row.
    at = np.multiply(labels, n, dtype=np.intp)
    at += np.arange(n)
    z -= np.maximum.reduce(z)
    # log(softmax) from the shifted scores, not from the probabilities: a probability of 0 has no logarithm.
    right = z.take(at)
    if label_smoothing:
        right = (1 - label_smoothing) * right + label_smoothing * z.mean(axis=0)
    dlogits = np.exp(z, out=z)
    sums = np.add.reduce(dlogits)
    loss = np.add.reduce(np.log(sums) - right) / n
    # dlogits = (softmax - target) / N
    sums *= n
    dlogits /= sums
    dlogits.ravel()[at] -= (1 - label_smoothing) / n
    if label_smoothing:
        dlogits -= label_smoothing / (classes * n)
    return float(loss), dlogits.T


def squared_error(prediction: Array, target: Array) -> tuple[float, Array]:
    """Half the squared distance, mean over the batch: `sum((prediction - target)**2) / (2N)`, and its gradient.

    The one half makes the gradient simply `(prediction - target) / N`. PyTorch's `mse_loss` has no one half and also
    divides by the number of outputs: for one output it is twice this value.

    Args:
        prediction: shape (N,) or (N, D).
        target: the same shape as `prediction`.

    Returns:
        The loss, at least 0, and its gradient with respect to the prediction, of its shape.

    Raises:
        ValueError: shapes that differ, or an empty batch.
        TypeError: predictions that are not float32 or float64, or targets that are not real numbers.
    """
    prediction, target = np.asarray(prediction), np.asarray(target)
    check_floats(prediction, "prediction")
    if target.dtype.kind not in "fiu":
        raise TypeError(f"target has dtype {target.dtype}; it must hold real numbers, as in target.astype(np.float32).")
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction has shape {prediction.shape} and target {target.shape}; they must be equal. "
            "(N, 1) and (N,) would broadcast to (N, N): reshape the target, as in target[:, None]."
        )
    if prediction.size == 0:
        raise ValueError("squared_error got an empty batch; it needs at least one example.")
    residual = prediction - target
    n = len(residual)
    return float(np.vdot(residual, residual) / (2 * n)), residual / n


def accuracy(prediction: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The share of right answers, from 0 to 1.

    Args:
        prediction: class labels, shape (N,), or scores, shape (N, C), of which the largest counts.
        labels: right classes, shape (N,).

    Raises:
        ValueError: shapes that do not fit, or no examples.
    """
    found, right = np.asarray(prediction), np.asarray(labels)
    if found.ndim == 2:
        found = found.argmax(axis=1)
    if found.shape != right.shape or found.size == 0:
        raise ValueError(
            f"prediction has shape {np.shape(prediction)} and labels {right.shape}; "
            "accuracy needs (N,) or (N, C) against (N,), with at least one example."
        )
    return float(np.mean(found == right))


def check_labels(logits: Array, labels: IntArray) -> None:
    """Raise unless `logits` is (N, C) of floats, N at least 1, and `labels` (N,) whole numbers from 0 to C - 1."""
    if is_floats(logits) and logits.ndim == 2 and labels.shape == logits.shape[:1] and labels.size:
        # Read as unsigned numbers, negative labels are larger than all others: one pass instead of two.
        if labels.dtype == np.intp and np.maximum.reduce(labels.view(np.uintp)) < logits.shape[1]:
            return
    check_floats(logits, "logits")
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"logits have shape {logits.shape} and labels {labels.shape}; they need (N, C) and (N,) with the same N."
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"labels have dtype {labels.dtype}; they need whole numbers from 0 to {logits.shape[1] - 1}, "
            "as in labels.astype(int)."
        )
    if labels.size == 0:
        raise ValueError("the batch is empty; a loss needs at least one example.")
    lowest, highest = labels.min(), labels.max()
    if lowest < 0 or highest >= logits.shape[1]:
        raise ValueError(
            f"labels go from {lowest} to {highest}; with {logits.shape[1]} columns of logits "
            f"they must lie in 0 to {logits.shape[1] - 1}."
        )
