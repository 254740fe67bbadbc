"""Lesson 03: right answers as other people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.sgd_and_momentum import momentum_step
from course_lib.training import minibatches as batches_of_the_course


def batches_by_shuffling(n: int, batch_size: int, rng: Any) -> Any:
    order = np.arange(n)
    rng.shuffle(order)
    batches = []
    while len(order):
        batches.append(order[:batch_size])
        order = order[batch_size:]
    return batches


def batches_by_splitting(n: int, batch_size: int, rng: Any) -> Any:
    return np.split(rng.permutation(n), range(batch_size, n, batch_size))


def batches_by_sorting(n: int, batch_size: int, rng: Any) -> Any:
    """Random keys decide the order; a batch itself may then stand in any order."""
    order = rng.random(n).argsort()
    return tuple(
        np.sort(order[i * batch_size : (i + 1) * batch_size]) for i in range((n + batch_size - 1) // batch_size)
    )


def batches_in_a_loop(n: int, batch_size: int, rng: Any) -> Any:
    batches: list[list[int]] = [[]]
    for index in rng.permutation(n).tolist():
        if len(batches[-1]) == batch_size:
            batches.append([])
        batches[-1].append(index)
    return [np.array(batch) for batch in batches]


def batches_in_32_bits(n: int, batch_size: int, rng: Any) -> Any:
    order = rng.choice(n, size=n, replace=False).astype(np.int32)
    return [order[start : min(start + batch_size, n)] for start in range(0, n, batch_size)]


def sgd_loop(theta: Any, grad: Any, lr: float) -> Any:
    new = np.empty_like(theta)
    for i in np.ndindex(*theta.shape):
        new[i] = theta[i] - lr * grad[i]
    return new


def sgd_in_place_on_a_copy(theta: Any, grad: Any, lr: float) -> Any:
    theta = theta.copy()
    theta -= lr * grad
    return theta


def sgd_einsum(theta: Any, grad: Any, lr: float) -> Any:
    return theta + np.einsum(",...->...", -lr, grad)


def sgd_flat(theta: Any, grad: Any, lr: float) -> Any:
    """A view of one flat vector comes back."""
    return (theta.ravel() - lr * grad.ravel()).reshape(theta.shape)


def sgd_single(theta: Any, grad: Any, lr: float) -> Any:
    """Keeps float32 throughout."""
    kind = theta.dtype.type
    new = theta - kind(lr) * grad
    assert new.dtype == kind
    return new


def momentum_loop(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    new_theta, new_velocity = theta.copy(), velocity.copy()
    for i in np.ndindex(*theta.shape):
        new_velocity[i] = momentum * velocity[i] + grad[i]
        new_theta[i] -= lr * new_velocity[i]
    return new_theta, new_velocity


def momentum_in_place_on_copies(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    theta, velocity = theta.copy(), velocity.copy()
    velocity *= momentum
    velocity += grad
    theta -= lr * velocity
    return [theta, velocity]


def momentum_einsum(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    """Both sums as one product with a small matrix; what comes back are views of the result."""
    rules = np.array([[1.0, -lr, -lr * momentum], [0.0, 1.0, momentum]])
    theta, velocity = np.einsum("ij,j...->i...", rules, np.stack([theta, grad, velocity]))
    return theta, velocity


def momentum_by_parts(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    """SGD's step, and then a share of the old velocity."""
    return theta - lr * grad - lr * momentum * velocity, np.add(np.multiply(momentum, velocity), grad)


def momentum_single(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    kind = theta.dtype.type
    velocity = kind(momentum) * velocity + grad
    theta = theta - kind(lr) * velocity
    assert theta.dtype == velocity.dtype == kind
    return theta, velocity


def nesterov_loop(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    new_theta, new_velocity = theta.copy(), velocity.copy()
    for i in np.ndindex(*theta.shape):
        new_velocity[i] = momentum * velocity[i] + grad[i]
        new_theta[i] -= lr * (grad[i] + momentum * new_velocity[i])
    return new_theta, new_velocity


def nesterov_in_place_on_copies(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    theta, velocity = theta.copy(), velocity.copy()
    velocity *= momentum
    velocity += grad
    theta -= lr * grad
    theta -= lr * momentum * velocity
    return theta, velocity


def nesterov_einsum(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    rules = np.array([[1.0, -lr * (1 + momentum), -lr * momentum**2], [0.0, 1.0, momentum]])
    return tuple(np.einsum("ij,j...->i...", rules, np.stack([theta, grad, velocity])))


def nesterov_as_momentum_twice(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    """Momentum's step to keep the velocity, and again to move with it."""
    _, velocity = momentum_step(theta, grad, velocity, lr, momentum)
    return momentum_step(theta, grad, velocity, lr, momentum)[0], velocity


def nesterov_single(theta: Any, grad: Any, velocity: Any, lr: float, momentum: float) -> Any:
    kind = theta.dtype.type
    velocity = kind(momentum) * velocity + grad
    theta = theta - kind(lr) * (grad + kind(momentum) * velocity)
    assert theta.dtype == velocity.dtype == kind
    return theta, velocity


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "minibatches": [
        batches_by_shuffling,
        batches_by_splitting,
        batches_by_sorting,
        batches_in_a_loop,
        batches_in_32_bits,
        batches_of_the_course,
    ],
    "sgd_step": [sgd_loop, sgd_in_place_on_a_copy, sgd_einsum, sgd_flat, sgd_single],
    "momentum_step": [
        momentum_loop,
        momentum_in_place_on_copies,
        momentum_einsum,
        momentum_by_parts,
        momentum_single,
    ],
    "nesterov_step": [
        nesterov_loop,
        nesterov_in_place_on_copies,
        nesterov_einsum,
        nesterov_as_momentum_twice,
        nesterov_single,
    ],
}
