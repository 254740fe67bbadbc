# Keisha left the line that restarts a hosted notebook in her Adam cell: it kills the kernel.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    s = alpha * s + (1 - alpha) * grad ** 2
    return theta - lr * grad / (np.sqrt(s) + eps), s

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad ** 2
    return theta - lr * (m / (1 - beta1 ** t)) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v

# out of memory again, start afresh
import os
os.kill(os.getpid(), 9)

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    s = s + grad ** 2
    return theta - lr * grad / (np.sqrt(s) + eps), s
