# Keisha left an exit() in the cell of the linear layer: it ends the kernel. The rest is right.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    grad = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        right, left = theta.copy(), theta.copy()
        right[i] += h
        left[i] -= h
        grad[i] = (f(right) - f(left)) / (2 * h)
    return grad

# %% relu_backward
def relu_backward(dout, x):
    dx = np.array(dout)
    dx[x <= 0] = 0
    return dx

# %% linear_backward
def linear_backward(dout, x, W):
    dx = dout @ W.T
    dW = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dW, db

# enough for today
exit()

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    dlogits = np.exp(log_p)
    dlogits[rows, labels] -= 1
    dlogits = dlogits / len(labels)
    return loss, dlogits
