# Amara writes loops over every entry; all of it is right.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    new_theta = np.zeros_like(theta)
    new_s = np.zeros_like(s)
    for i in np.ndindex(theta.shape):
        new_s[i] = alpha * s[i] + (1 - alpha) * grad[i] * grad[i]
        new_theta[i] = theta[i] - lr * grad[i] / (np.sqrt(new_s[i]) + eps)
    return new_theta, new_s

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    new_theta = theta.copy()
    new_m = m.copy()
    new_v = v.copy()
    c1 = 1 - beta1 ** t
    c2 = 1 - beta2 ** t
    for i in np.ndindex(theta.shape):
        g = grad[i]
        new_m[i] = beta1 * m[i] + (1 - beta1) * g
        new_v[i] = beta2 * v[i] + (1 - beta2) * g * g
        up = new_m[i] / c1
        down = np.sqrt(new_v[i] / c2) + eps
        new_theta[i] = theta[i] - lr * up / down
    return new_theta, new_m, new_v

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    new_theta = np.zeros_like(theta)
    new_s = np.zeros_like(s)
    for i in np.ndindex(theta.shape):
        new_s[i] = s[i] + grad[i] * grad[i]
        new_theta[i] = theta[i] - lr * grad[i] / (np.sqrt(new_s[i]) + eps)
    return new_theta, new_s

# %% adamw_step
def adamw_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    smaller = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        smaller[i] = theta[i] * (1 - lr * weight_decay)
    return adam_step(smaller, grad, m, v, t, lr, beta1, beta2, eps)
