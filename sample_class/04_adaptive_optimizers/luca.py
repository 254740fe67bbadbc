# Luca raises beta to the power t by a loop that forgets to count: Adam never ends.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    old = alpha * s
    new = (1 - alpha) * grad ** 2
    s = old + new
    theta = theta - lr * grad / (np.sqrt(s) + eps)
    return theta, s

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad ** 2
    power1 = 1.0
    power2 = 1.0
    k = 0
    while k < t:
        power1 = power1 * beta1
        power2 = power2 * beta2
    theta = theta - lr * (m / (1 - power1)) / (np.sqrt(v / (1 - power2)) + eps)
    return theta, m, v

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    s = s + grad ** 2
    theta = theta - lr * grad / (np.sqrt(s) + eps)
    return theta, s
