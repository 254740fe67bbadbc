"""Lesson 07: right answers as other people write them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


def he_standard(n_in: int, n_out: int, rng: Any) -> Any:
    return rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in)


def he_rows(n_in: int, n_out: int, rng: Any) -> Any:
    spread = math.sqrt(2.0) / math.sqrt(n_in)
    return np.stack([rng.normal(scale=spread, size=n_out) for _ in range(n_in)])


def he_single(n_in: int, n_out: int, rng: Any) -> Any:
    """Drawn in float32, as large networks do."""
    return rng.standard_normal((n_in, n_out), dtype=np.float32) * np.float32((2 / n_in) ** 0.5)


def he_transposed(n_in: int, n_out: int, rng: Any) -> Any:
    """Drawn as PyTorch stores it, then turned: a view."""
    return rng.normal(0, (2 / n_in) ** 0.5, size=(n_out, n_in)).T


def he_from_uniform(n_in: int, n_out: int, rng: Any) -> Any:
    """Box and Muller's way to normal numbers."""
    radius = np.sqrt(-2 * np.log(1 - rng.random((n_in, n_out))))
    return np.sqrt(2 / n_in) * radius * np.cos(2 * np.pi * rng.random((n_in, n_out)))


def forward_keepdims(
    x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any, momentum: float, eps: float, training: bool
) -> Any:
    if not training:
        x_hat = (x - running_mean) / np.sqrt(running_var + eps)
        return x_hat * gamma + beta, None, running_mean, running_var
    mean = np.mean(x, axis=0, keepdims=True)
    centred = x - mean
    var = np.mean(centred**2, axis=0, keepdims=True)
    x_hat = centred * (var + eps) ** -0.5
    new_mean = running_mean + momentum * (mean[0] - running_mean)
    new_var = running_var + momentum * (np.var(x, axis=0, ddof=1) - running_var)
    return x_hat * gamma + beta, {"x_hat": x_hat, "var": var, "eps": eps, "gamma": gamma}, new_mean, new_var


def forward_loops(
    x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any, momentum: float, eps: float, training: bool
) -> Any:
    n, d = x.shape
    out, new_mean, new_var = np.empty_like(x), running_mean.copy(), running_var.copy()
    kept = []
    for j in range(d):
        mean, var = running_mean[j], running_var[j]
        if training:
            mean = sum(x[i, j] for i in range(n)) / n
            squares = sum((x[i, j] - mean) ** 2 for i in range(n))
            var = squares / n
            new_mean[j] = (1 - momentum) * running_mean[j] + momentum * mean
            new_var[j] = (1 - momentum) * running_var[j] + momentum * squares / (n - 1)
        kept.append((mean, var))
        for i in range(n):
            out[i, j] = gamma[j] * (x[i, j] - mean) / math.sqrt(var + eps) + beta[j]
    return out, (x.copy(), kept, gamma, eps), new_mean, new_var


def forward_einsum(
    x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any, momentum: float, eps: float, training: bool
) -> Any:
    """One scale and one shift for each column, worked out first."""
    n = x.shape[0]
    if training:
        mean = np.einsum("ij->j", x) / n
        away = x - mean
        squares = np.einsum("ij,ij->j", away, away)
        var = squares / n
        running_mean = np.average([running_mean, mean], axis=0, weights=[1 - momentum, momentum])
        running_var = np.average([running_var, squares / (n - 1)], axis=0, weights=[1 - momentum, momentum])
    else:
        mean, var, away = running_mean, running_var, x - running_mean
    scale = gamma / np.sqrt(var + eps)
    return [
        np.einsum("ij,j->ij", away, scale) + beta,
        (away, scale, var + eps),
        running_mean.copy(),
        running_var.copy(),
    ]


def forward_single(
    x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any, momentum: float, eps: float, training: bool
) -> Any:
    """Keeps the inputs' dtype throughout, and works in place on arrays of its own."""
    kind = x.dtype.type
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    std = np.sqrt(var + kind(eps))
    out = x - mean
    out /= std
    x_hat = out.copy()
    out *= gamma
    out += beta
    moved = running_mean.copy(), running_var.copy()
    if training:
        bessel = len(x) / (len(x) - 1)
        for running, new in zip(moved, (mean, var * kind(bessel)), strict=True):
            running *= kind(1 - momentum)
            running += kind(momentum) * new
    return (out, (x_hat, std, gamma), *moved)


class Kept(NamedTuple):
    """A cache with names."""

    gamma: Any
    x_hat: Any
    std: Any


def forward_named(
    x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any, momentum: float, eps: float, training: bool
) -> Any:
    mean = x.mean(0) if training else running_mean
    var = ((x - mean) ** 2).mean(0) if training else running_var
    kept = Kept(gamma.copy(), (x - mean) / np.sqrt(var + eps), np.sqrt(var + eps))
    keep = 1 - momentum if training else 1
    new_var = x.var(0, ddof=1) if training else 0
    out = kept.gamma * kept.x_hat + beta
    return out, kept, keep * running_mean + (1 - keep) * mean, keep * running_var + (1 - keep) * new_var


def backward_paper(dout: Any, cache: Any) -> Any:
    """Equation by equation, as section 3 of the paper has it."""
    x, mean, std, gamma = cache
    n = len(x)
    dx_hat = dout * gamma
    dvar = np.sum(dx_hat * (x - mean) * -0.5 * std**-3, axis=0)
    dmean = np.sum(-dx_hat / std, axis=0) + dvar * np.mean(-2 * (x - mean), axis=0)
    dx = dx_hat / std + dvar * 2 * (x - mean) / n + dmean / n
    return dx, np.sum(dout * (x - mean) / std, axis=0), np.sum(dout, axis=0)


def backward_one_fraction(dout: Any, cache: Any) -> Any:
    x, mean, std, gamma = cache
    n, x_hat = len(x), (x - mean) / std
    dgamma, dbeta = (dout * x_hat).sum(0), dout.sum(0)
    return [(n * dout - dbeta - x_hat * dgamma) * gamma / (n * std), dgamma, dbeta]


def backward_loops(dout: Any, cache: Any) -> Any:
    x, mean, std, gamma = cache
    n, d = x.shape
    dx, dgamma, dbeta = np.zeros_like(dout), np.zeros(d), np.zeros(d)
    for j in range(d):
        hat = [(x[i, j] - mean[j]) / std[j] for i in range(n)]
        for i in range(n):
            dbeta[j] += dout[i, j]
            dgamma[j] += dout[i, j] * hat[i]
        for i in range(n):
            dx[i, j] = gamma[j] / std[j] * (dout[i, j] - dbeta[j] / n - hat[i] * dgamma[j] / n)
    return dx, dgamma, dbeta


def backward_einsum(dout: Any, cache: Any) -> Any:
    x, mean, std, gamma = cache
    x_hat = (x - mean) / std
    dgamma, dbeta = np.einsum("ij,ij->j", dout, x_hat), np.einsum("ij->j", dout)
    away = dout - (dbeta + x_hat * dgamma) / dout.shape[0]
    return np.einsum("ij,j->ij", away, gamma / std), dgamma, dbeta


def backward_matrix(dout: Any, cache: Any) -> Any:
    """By the whole Jacobian of each column, (N, N)."""
    x, mean, std, gamma = cache
    n = len(x)
    x_hat = (x - mean) / std
    centring = np.eye(n) - 1 / n
    columns = []
    for j in range(x.shape[1]):
        jacobian = gamma[j] / std[j] * (centring - np.outer(x_hat[:, j], x_hat[:, j]) / n)
        columns.append(jacobian.T @ dout[:, j])
    return np.stack(columns, axis=1), np.diag(x_hat.T @ dout).copy(), np.ones(n) @ dout


def backward_from_dict(dout: Any, cache: Any) -> Any:
    x_hat, std = cache["x_hat"], np.sqrt(cache["var"] + cache["eps"])
    projected = dout - dout.mean(axis=0, keepdims=True) - x_hat * np.mean(dout * x_hat, axis=0, keepdims=True)
    return projected * cache["gamma"] / std, np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)


def backward_from_statistics(dout: Any, cache: Any) -> Any:
    x, kept, gamma, eps = cache
    means, variances = (np.array(values) for values in zip(*kept, strict=True))
    return backward_paper(dout, (x, means, np.sqrt(variances + eps), gamma))


def backward_from_scale(dout: Any, cache: Any) -> Any:
    """Needs no gamma: the scale gamma / std was kept."""
    away, scale, safe = cache
    x_hat = away / np.sqrt(safe)
    dgamma, dbeta = np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)
    return scale * (dout - dbeta / len(dout) - x_hat * (dgamma / len(dout))), dgamma, dbeta


def backward_from_names(dout: Any, cache: Any) -> Any:
    dgamma, dbeta = np.sum(dout * cache.x_hat, axis=0), np.sum(dout, axis=0)
    mean_part, variance_part = dbeta / len(dout), cache.x_hat * dgamma / len(dout)
    return (dout - mean_part - variance_part) * cache.gamma / cache.std, dgamma, dbeta


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "he_init": [he_standard, he_rows, he_single, he_transposed, he_from_uniform],
    "batchnorm_forward": [forward_keepdims, forward_loops, forward_einsum, forward_single, forward_named],
    "batchnorm_backward": [backward_paper, backward_one_fraction, backward_loops, backward_einsum, backward_matrix],
}

PAIRS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (forward_keepdims, backward_from_dict),
    (forward_loops, backward_from_statistics),
    (forward_einsum, backward_from_scale),
    (forward_named, backward_from_names),
]
"""A forward and a backward pass with a cache of their own between them: a dict, a list, a tuple, a class."""
