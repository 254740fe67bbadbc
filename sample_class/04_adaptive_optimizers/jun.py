# Jun turns alpha round, lets AdaGrad forget, and puts AdamW's decay into the gradient; Adam itself is right.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    s = s * (1 - alpha) + grad**2 * alpha
    theta = theta - grad * (lr / (eps + np.sqrt(s)))
    return theta, s

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = m * beta1 + grad * (1 - beta1)
    v = v * beta2 + grad**2 * (1 - beta2)
    size = np.sqrt(v / (1 - beta2**t))
    theta = theta - (lr / (1 - beta1**t)) * m / (eps + size)
    return theta, m, v

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    rho = 0.9
    s = s * rho + grad**2 * (1 - rho)
    theta = theta - grad * (lr / (eps + np.sqrt(s)))
    return theta, s

# %% adamw_step
def adamw_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    g = grad + weight_decay * theta   # pull towards zero
    return adam_step(theta, g, m, v, t, lr, beta1, beta2, eps)
