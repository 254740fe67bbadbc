# Emeka does the core exercises, both right, and leaves the stretch ones.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    # leaky average of the squared gradient
    s = alpha * s + (1 - alpha) * grad ** 2
    step = lr * grad / (np.sqrt(s) + eps)
    return theta - step, s

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad ** 2
    # the averages start at zero, so they are too small at first
    mhat = m / (1 - beta1 ** t)
    vhat = v / (1 - beta2 ** t)
    return theta - lr * mhat / (np.sqrt(vhat) + eps), m, v
