# Ivan mistypes a name in the ReLU, transposes by luck, and forgets the one-hot labels.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    result = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        theta[i] += h
        above = f(theta)
        theta[i] -= 2 * h
        below = f(theta)
        theta[i] += h
        result[i] = (above - below) / (2 * h)
    return result

# %% relu_backward
def relu_backward(dout, x):
    gate = np.where(x > 0, 1, 0)
    return dout * gates

# %% linear_backward
def linear_backward(dout, x, W):
    dx = np.matmul(dout, W)
    dW = np.matmul(x, dout)
    db = np.sum(dout, axis=0)
    return dx, dW, db

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    dlogits = np.exp(log_p) / labels.shape[0]
    return loss, dlogits
