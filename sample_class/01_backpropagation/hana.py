# Hana steps to one side only, and averages the bias's gradient wherever she meets it.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    base = f(theta)
    grad = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        moved = theta.copy()
        moved[i] += h
        grad[i] = (f(moved) - base) / h
    return grad

# %% relu_backward
def relu_backward(dout, x):
    return dout * (x > 0)

# %% linear_backward
def linear_backward(dout, x, W):
    dx = dout @ W.T
    dW = x.T @ dout
    db = np.mean(dout, axis=0)
    return dx, dW, db

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    target = np.zeros_like(logits)
    target[rows, labels] = 1
    dlogits = (np.exp(log_p) - target) / len(logits)
    return loss, dlogits

# %% mlp_gradients
def mlp_gradients(params, X, labels):
    n = len(params) // 2
    h = [X]
    for k in range(1, n):
        h.append(np.maximum(h[-1] @ params[f"W{k}"] + params[f"b{k}"], 0))
    _, d = softmax_cross_entropy(h[-1] @ params[f"W{n}"] + params[f"b{n}"], labels)
    out = {}
    while n > 0:
        dx, out[f"W{n}"], out[f"b{n}"] = linear_backward(d, h[n - 1], params[f"W{n}"])
        d = relu_backward(dx, h[n - 1])
        n -= 1
    return out
