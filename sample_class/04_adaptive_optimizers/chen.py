# Chen is terse: a line or two for each, einsum for squares; all of it is right.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    s = s + (1 - alpha) * (np.einsum("...,...->...", grad, grad) - s)
    return theta - lr * grad / (s**0.5 + eps), s

# %% extra after rmsprop_step
rmsprop_step(np.array([2.0]), np.array([3.0]), np.array([0.0]), 0.1, 0.99, 0.0)

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = (b * old + (1 - b) * new for b, old, new in ((beta1, m, grad), (beta2, v, grad * grad)))
    return theta - lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)) ** 0.5 + eps), m, v

# %% adagrad_step
adagrad_step = lambda theta, grad, s, lr, eps: (theta - lr * grad / ((s + grad**2) ** 0.5 + eps), s + grad**2)

# %% adamw_step
def adamw_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return adam_step((1 - lr * weight_decay) * theta, grad, m, v, t, lr, beta1, beta2, eps)
