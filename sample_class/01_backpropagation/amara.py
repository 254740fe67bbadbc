# Amara writes loops over every entry; all of it is right.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    grad = np.zeros(theta.shape)
    for i in np.ndindex(theta.shape):
        plus = theta.copy()
        plus[i] = plus[i] + h
        minus = theta.copy()
        minus[i] = minus[i] - h
        grad[i] = (f(plus) - f(minus)) / (2 * h)
    return grad

# %% extra after numerical_gradient
# try it on something I know: x squared at 3 should be 6
print(numerical_gradient(lambda x: float(np.sum(x**2)), np.array([3.0])))

# %% relu_backward
def relu_backward(dout, x):
    dx = np.zeros_like(dout)
    for i in np.ndindex(x.shape):
        if x[i] > 0:
            dx[i] = dout[i]
    return dx

# %% linear_backward
def linear_backward(dout, x, W):
    N, D_in = x.shape
    D_out = W.shape[1]
    dx = np.zeros_like(x)
    dW = np.zeros_like(W)
    db = np.zeros(D_out)
    for n in range(N):
        for j in range(D_out):
            db[j] += dout[n, j]
            for i in range(D_in):
                dx[n, i] += dout[n, j] * W[i, j]
                dW[i, j] += dout[n, j] * x[n, i]
    return dx, dW, db

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    N, C = logits.shape
    dlogits = np.zeros((N, C))
    for n in range(N):
        for c in range(C):
            dlogits[n, c] = np.exp(log_p[n, c]) / N
        dlogits[n, labels[n]] = dlogits[n, labels[n]] - 1 / N
    return loss, dlogits

# %% mlp_gradients
def mlp_gradients(params, X, labels):
    layers = 0
    while "W" + str(layers + 1) in params:
        layers = layers + 1
    # forward, keep everything
    inputs = []
    before = []
    h = X
    for k in range(1, layers + 1):
        inputs.append(h)
        z = h @ params["W" + str(k)] + params["b" + str(k)]
        before.append(z)
        h = np.maximum(z, 0)
    # backward
    loss, d = softmax_cross_entropy(before[-1], labels)
    grads = {}
    for k in range(layers, 0, -1):
        dx, dW, db = linear_backward(d, inputs[k - 1], params["W" + str(k)])
        grads["W" + str(k)] = dW
        grads["b" + str(k)] = db
        if k > 1:
            d = relu_backward(dx, before[k - 2])
    return grads

# %% find_wrong_backward
def find_wrong_backward(passes, x):
    rng = np.random.default_rng(1)
    worst = 0
    worst_error = -1.0
    for i in range(len(passes)):
        forward, backward = passes[i]
        dout = rng.normal(size=forward(x).shape)

        def f(t):
            return float(np.sum(dout * forward(t)))

        by_hand = backward(dout, x)
        by_differences = numerical_gradient(f, x)
        size = np.max(np.abs(by_differences)) + np.max(np.abs(by_hand))
        error = np.max(np.abs(by_hand - by_differences)) / size
        if error > worst_error:
            worst = i
            worst_error = error
    return worst
