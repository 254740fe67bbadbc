# Dalia puts what comes back again into helpers, in cells of her own; the core is right, the bonus left out.

# %% extra before numerical_gradient
def nudged(theta, place, by):
    """a copy of theta with one entry moved"""
    copy = np.array(theta)
    copy[place] += by
    return copy

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    slopes = np.empty_like(theta)
    with np.nditer(theta, flags=["multi_index"]) as entries:
        for _ in entries:
            place = entries.multi_index
            slopes[place] = (f(nudged(theta, place, h)) - f(nudged(theta, place, -h))) / (2 * h)
    return slopes

# %% relu_backward
def relu_backward(dout, x):
    dx = dout.copy()
    dx[x <= 0] = 0
    return dx

# %% linear_backward
def linear_backward(dout, x, W):
    dx = np.dot(dout, W.T)
    dW = np.dot(x.T, dout)
    db = np.sum(dout, axis=0)
    assert dx.shape == x.shape and dW.shape == W.shape
    return dx, dW, db

# %% extra before softmax_cross_entropy
def one_hot(labels, classes):
    result = np.zeros((labels.size, classes))
    result[np.arange(labels.size), labels] = 1.0
    return result

# %% softmax_cross_entropy
def softmax_cross_entropy(logits, labels):
    """Mean cross-entropy of softmax(logits) at the labels, and its gradient."""
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[rows, labels].mean()
    p = np.exp(log_p)
    dlogits = (p - one_hot(labels, logits.shape[1])) / labels.size
    return loss, dlogits

# %% extra before mlp_gradients
def forward_pass(params, X):
    """inputs of every layer, and the logits"""
    number_of_layers = len([name for name in params if name[0] == "W"])
    inputs = [X]
    for k in range(1, number_of_layers):
        inputs.append(np.maximum(0, inputs[-1] @ params[f"W{k}"] + params[f"b{k}"]))
    return inputs, inputs[-1] @ params[f"W{number_of_layers}"] + params[f"b{number_of_layers}"]

# %% mlp_gradients
def mlp_gradients(params, X, labels):
    inputs, logits = forward_pass(params, X)
    _, delta = softmax_cross_entropy(logits, labels)
    grads = {}
    for k in reversed(range(len(inputs))):
        back, grads[f"W{k + 1}"], grads[f"b{k + 1}"] = linear_backward(delta, inputs[k], params[f"W{k + 1}"])
        # h > 0 exactly where z > 0, so the input of the layer is enough for the mask
        delta = back * (inputs[k] > 0)
    return grads
