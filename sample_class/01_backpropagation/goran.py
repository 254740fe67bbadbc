# Goran reads the ReLU's mask off the gradient, alone and in the network.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    grad = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        up = theta.copy(); up[i] += h
        dn = theta.copy(); dn[i] -= h
        grad[i] = (f(up) - f(dn)) / (2*h)
    return grad

# %% relu_backward
def relu_backward(dout, x):
    # relu backward is just relu on the gradient?
    return np.maximum(dout, 0)

# %% linear_backward
def linear_backward(dout, x, W):
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    dlogits = np.exp(log_p)
    dlogits[rows, labels] -= 1.
    dlogits /= logits.shape[0]
    return loss, dlogits

# %% mlp_gradients
def mlp_gradients(params, X, labels):
    L = len(params)//2
    acts = [X]; zs = [None]
    for k in range(1, L+1):
        z = acts[-1] @ params[f"W{k}"] + params[f"b{k}"]
        zs.append(z)
        acts.append(np.maximum(z, 0))
    _, dz = softmax_cross_entropy(zs[L], labels)
    grads = {}
    for k in range(L, 0, -1):
        dh, grads[f"W{k}"], grads[f"b{k}"] = linear_backward(dz, acts[k-1], params[f"W{k}"])
        dz = relu_backward(dh, zs[k-1])
    return grads
