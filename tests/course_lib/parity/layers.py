"""Layers, losses and whole networks in single calls: outputs, and gradients of inputs and weights."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from course_lib import layers
from course_lib.batchnorm import BatchNorm1d
from course_lib.dropout import Dropout
from course_lib.losses import softmax_cross_entropy, squared_error
from course_lib.network import MLP
from parity.case import Case, of_the_largest, relative, title, uniform

LABELS = np.array([0, 2, 1, 1, 0, 2])
NASTY_LOGITS = np.array([[1000.0, 0, -1000], [-1e5, -1e5, -1e5], [0, 800, 799], [1e-9, 0, 0], [3, 2, 1], [700, 0, 1]])
EXTREME = np.array([[0.0, -0.0, 1e-300, -1e-300], [1.0, -1.0, 20.0, -20.0], [700.0, -700.0, 1e5, -1e5]])


def joined(*arrays: Any) -> np.ndarray:
    return np.concatenate([np.ravel(array) for array in arrays])


# Layers without state


def our_activation(name: str, x: np.ndarray) -> np.ndarray:
    layer = getattr(layers, name)()
    out = layer.forward(x)
    return joined(out, layer.backward(uniform(8, *x.shape)))


def their_activation(name: str, x: np.ndarray) -> np.ndarray:
    import torch

    inputs = torch.tensor(x, requires_grad=True)
    out = getattr(torch.nn, name)()(inputs)
    out.backward(torch.tensor(uniform(8, *x.shape)))
    return joined(out.detach().numpy(), inputs.grad.numpy())


def our_linear(n: int, n_in: int, n_out: int) -> np.ndarray:
    layer = layers.Linear(n_in, n_out, rng=np.random.default_rng(), dtype=np.float64)
    layer.W[...], layer.b[...] = uniform(3, n_in, n_out), uniform(4, n_out)
    out = layer.forward(uniform(5, n, n_in))
    return joined(out, layer.backward(uniform(6, n, n_out)), layer.dW, layer.db)


def their_linear(n: int, n_in: int, n_out: int) -> np.ndarray:
    import torch

    layer = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
    with torch.no_grad():
        layer.weight[...] = torch.tensor(uniform(3, n_in, n_out)).T
        layer.bias[...] = torch.tensor(uniform(4, n_out))
    x = torch.tensor(uniform(5, n, n_in), requires_grad=True)
    out = layer(x)
    out.backward(torch.tensor(uniform(6, n, n_out)))
    return joined(out.detach().numpy(), x.grad.numpy(), layer.weight.grad.numpy().T, layer.bias.grad.numpy())


# Dropout: PyTorch draws the mask, and hands it over


class Handed(np.random.Generator):
    """Draws that keep exactly what a mask keeps."""

    def __init__(self, mask: np.ndarray) -> None:
        super().__init__(np.random.PCG64(0))
        self.mask = mask

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        draws = np.where(self.mask, np.nextafter(1, 0), 0.0)
        if out is None:
            return draws
        out[...] = draws
        return out


def our_dropout(p: float, training: bool, theirs: np.ndarray) -> np.ndarray:
    layer = Dropout(p, Handed(theirs[0] > 0))
    out = layer.forward(uniform(5, 12, 7), training=training)
    return np.array([layer.mask, out, layer.backward(uniform(6, 12, 7))])


def their_dropout(p: float, training: bool) -> np.ndarray:
    """The mask, the output and the gradient of the input."""
    import torch

    torch.manual_seed(0)
    x = torch.tensor(uniform(5, 12, 7), requires_grad=True)
    out = torch.nn.functional.dropout(x, p, training=training)
    out.backward(torch.tensor(uniform(6, 12, 7)))
    kept = out.detach().numpy()
    return np.array([kept != 0, kept, x.grad.numpy()])


# Batch normalisation: some training batches, the last of them with its gradients, then evaluation with its gradients


def batches(n: int, batch_size: int) -> list[np.ndarray]:
    return [uniform(20 + i, batch_size, 4) * [1, 10, 0.01, 1] + [0, 3, 0.5, -100] for i in range(n)]


def our_batchnorm(n: int, batch_size: int, options: dict[str, Any]) -> np.ndarray:
    layer = BatchNorm1d(4, **options, dtype=np.float64)
    layer.gamma[...], layer.beta[...] = uniform(3, 4) * 2, uniform(4, 4)
    dout, found = uniform(6, batch_size, 4), []
    for x in batches(n, batch_size):
        found += [layer.forward(x, training=True)]
    found += [layer.backward(dout), layer.dgamma.copy(), layer.dbeta.copy(), layer.running_mean, layer.running_var]
    found += [layer.forward(uniform(9, batch_size, 4), training=False), layer.backward(dout)]
    return joined(*found, layer.dgamma, layer.dbeta)


def their_batchnorm(n: int, batch_size: int, options: dict[str, Any]) -> np.ndarray:
    import torch

    layer = torch.nn.BatchNorm1d(4, **options, dtype=torch.float64)
    with torch.no_grad():
        layer.weight[...], layer.bias[...] = torch.tensor(uniform(3, 4) * 2), torch.tensor(uniform(4, 4))
    dout, found = torch.tensor(uniform(6, batch_size, 4)), []

    def gradients(x: Any, out: Any) -> list[Any]:
        layer.zero_grad()
        out.backward(dout)
        return [gradient.clone() for gradient in (x.grad, layer.weight.grad, layer.bias.grad)]

    for batch in batches(n, batch_size):
        x = torch.tensor(batch, requires_grad=True)
        out = layer(x)
        found += [out.detach()]
    found += [*gradients(x, out), layer.running_mean.clone(), layer.running_var.clone()]
    layer.eval()
    x = torch.tensor(uniform(9, batch_size, 4), requires_grad=True)
    out = layer(x)
    return joined(*found, out.detach(), *gradients(x, out))


# Losses


def our_cross_entropy(logits: np.ndarray, labels: np.ndarray, smoothing: float) -> np.ndarray:
    loss, dlogits = softmax_cross_entropy(logits, labels, label_smoothing=smoothing)
    return joined(dlogits, loss)


def their_cross_entropy(logits: np.ndarray, labels: np.ndarray, smoothing: float) -> np.ndarray:
    import torch

    inputs = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(inputs, torch.tensor(labels), label_smoothing=smoothing)
    loss.backward()
    return joined(inputs.grad.numpy(), loss.item())


def our_squared_error(*shape: int) -> np.ndarray:
    loss, dprediction = squared_error(uniform(3, *shape), uniform(4, *shape))
    return joined(loss, dprediction)


def their_squared_error(*shape: int) -> np.ndarray:
    import torch

    prediction = torch.tensor(uniform(3, *shape), requires_grad=True)
    # Ours has a one half, and divides by the examples alone.
    loss = torch.nn.functional.mse_loss(prediction, torch.tensor(uniform(4, *shape)), reduction="sum") / (2 * shape[0])
    loss.backward()
    return joined(loss.item(), prediction.grad.numpy())


# Networks


def our_network(activation: str, classify: bool) -> np.ndarray:
    model = MLP([5, 7, 4, 3], rng=np.random.default_rng(), dtype=np.float64, activation=getattr(layers, activation))
    model.parameters.theta = uniform(3, model.parameters.size)
    output = model.forward(uniform(4, 6, 5) * 2)
    loss, dout = softmax_cross_entropy(output, LABELS) if classify else squared_error(output, uniform(5, 6, 3))
    model.backward(dout)
    return joined(loss, output, model.parameters.grad)


def their_network(activation: str, classify: bool) -> np.ndarray:
    import torch

    flat = torch.tensor(uniform(3, 5 * 7 + 7 + 7 * 4 + 4 + 4 * 3 + 3), requires_grad=True)
    x = torch.tensor(uniform(4, 6, 5) * 2)
    start = 0
    for n_in, n_out in ((5, 7), (7, 4), (4, 3)):
        weights = flat[start : start + n_in * n_out].reshape(n_in, n_out)
        bias = flat[start + n_in * n_out : start + n_in * n_out + n_out]
        start += n_in * n_out + n_out
        x = torch.nn.functional.linear(x, weights.T, bias)
        if n_out != 3:
            x = getattr(torch.nn, activation)()(x)
    if classify:
        loss = torch.nn.functional.cross_entropy(x, torch.tensor(LABELS))
    else:  # as in their_squared_error
        loss = torch.nn.functional.mse_loss(x, torch.tensor(uniform(5, 6, 3)), reduction="sum") / 12
    loss.backward()
    return joined(loss.item(), x.detach().numpy(), flat.grad.numpy())


def of_layers() -> Iterator[tuple[str, Any, Any, Any, bool]]:
    """Name, ours, theirs, measure, handed."""
    for name in ("ReLU", "Tanh", "Sigmoid"):
        for text, x in (("", uniform(7, 9, 5) * 4), (" at 0 and far out", EXTREME)):
            yield f"{name}{text}", partial(our_activation, name, x), partial(their_activation, name, x), relative, False
    for shape in ((1, 1, 1), (6, 5, 4), (40, 3, 17)):
        yield f"Linear {shape}", partial(our_linear, *shape), partial(their_linear, *shape), of_the_largest, False
    for p, training in product((0.0, 0.1, 0.5, 0.9), (True, False)):
        options = {"p": p, "training": training}
        yield (
            title("Dropout", options),
            partial(our_dropout, p, training),
            partial(their_dropout, *options.values()),
            (relative),
            True,
        )
    for n, batch_size, eps, momentum in product((1, 5), (2, 16), (1e-5, 1e-2), (0.1, 0.9)):
        options = {"eps": eps, "momentum": momentum}
        text = title("BatchNorm1d", options) + f", {n} batches of {batch_size}"
        run = (n, batch_size, options)
        yield text, partial(our_batchnorm, *run), partial(their_batchnorm, *run), of_the_largest, False
    yield "BatchNorm1d", partial(our_batchnorm, 3, 8, {}), partial(their_batchnorm, 3, 8, {}), of_the_largest, False


def of_losses() -> Iterator[tuple[str, Any, Any]]:
    many, labels = uniform(31, 20, 10) * 5, np.arange(20) % 10
    for text, logits, right in (
        ("", uniform(30, 6, 3), LABELS),
        (" of extreme logits", NASTY_LOGITS, LABELS),
        (" of ten classes", many, labels),
    ):
        for smoothing in (0.0, 0.1, 0.5, 1.0):
            if logits is NASTY_LOGITS and smoothing == 1.0:
                continue  # three equal logits and an even target: the gradient is a rounding error, here and there
            name = f"cross-entropy{text}" + (f", smoothed by {smoothing}" if smoothing else "")
            run = (logits, right, smoothing)
            yield name, partial(our_cross_entropy, *run), partial(their_cross_entropy, *run)
    for shape in ((7,), (6, 3)):
        yield f"squared error {shape}", partial(our_squared_error, *shape), partial(their_squared_error, *shape)
    for activation, classify in product(("ReLU", "Tanh", "Sigmoid"), (True, False)):
        name = f"network of {activation}, {'cross-entropy' if classify else 'squared error'}"
        yield name, partial(our_network, activation, classify), partial(their_network, activation, classify)


def cases() -> list[Case]:
    found = [
        Case("layers", name, ours, theirs, 1e-12, measure, handed)
        for name, ours, theirs, measure, handed in of_layers()
    ]
    return found + [Case("losses", name, ours, theirs, bound=1e-12) for name, ours, theirs in of_losses()]
