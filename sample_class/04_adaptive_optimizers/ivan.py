# Ivan has a typing mistake in RMSprop and hands Adam's corrected averages on to the next step.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    s_new = alpha * s + (1 - alpha) * gard ** 2
    theta_new = theta - lr * grad / (np.sqrt(s_new) + eps)
    return theta_new, s_new

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad ** 2
    m = m / (1 - beta1 ** t)
    v = v / (1 - beta2 ** t)
    theta = theta - lr * m / (np.sqrt(v) + eps)
    return theta, m, v

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    s_new = s + grad ** 2
    theta_new = theta - lr * grad / (np.sqrt(s_new) + eps)
    return theta_new, s_new
