# Luca forgets to count: his differences never end. The next three are right.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    flat = theta.reshape(-1)
    grad = np.zeros_like(flat)
    i = 0
    while i < len(flat):
        up = flat.copy()
        up[i] += h
        down = flat.copy()
        down[i] -= h
        grad[i] = (f(up.reshape(theta.shape)) - f(down.reshape(theta.shape))) / (2 * h)
    return grad.reshape(theta.shape)

# %% relu_backward
def relu_backward(dout, x):
    slope = np.zeros_like(x)
    slope[x > 0] = 1
    return slope * dout

# %% linear_backward
def linear_backward(dout, x, W):
    dx = dout @ W.T
    dW = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dW, db

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    probabilities = np.exp(log_p)
    probabilities[rows, labels] = probabilities[rows, labels] - 1
    return loss, probabilities / len(rows)
