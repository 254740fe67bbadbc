# Fatima: her own softmax overflows, her network has two layers whatever params says; the rest is right.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    grad = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        e = np.zeros_like(theta)
        e[i] = h
        grad[i] = (f(theta + e) - f(theta - e)) / h / 2
    return grad

# %% relu_backward
def relu_backward(dout, x):
    return np.where(x > 0, dout, 0.0)

# %% linear_backward
def linear_backward(dout, x, W):
    dW = x.T @ dout
    db = np.ones(len(x)) @ dout
    dx = (W @ dout.T).T
    return dx, dW, db

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    e = np.exp(logits)
    p = e / np.sum(e, axis=1, keepdims=True)
    p[rows, labels] -= 1
    dlogits = p / len(labels)
    return loss, dlogits

# %% mlp_gradients
def mlp_gradients(params, X, labels):
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    a = X @ W1 + b1
    h = np.maximum(a, 0)
    loss, dlogits = softmax_cross_entropy(h @ W2 + b2, labels)
    dh, dW2, db2 = linear_backward(dlogits, h, W2)
    da = relu_backward(dh, a)
    dX, dW1, db1 = linear_backward(da, X, W1)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
