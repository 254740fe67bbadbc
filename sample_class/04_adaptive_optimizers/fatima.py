# Fatima has RMSprop right, did not come to Adam, and changes AdaGrad's inputs in place.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    s2 = alpha * s + (1 - alpha) * np.power(grad, 2)
    denominator = np.sqrt(s2) + eps
    theta2 = theta - (lr / denominator) * grad
    return theta2, s2

# %% extra after rmsprop_step
# does adam take the same arguments?
adam_step(np.ones(2), np.ones(2))

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    s += grad ** 2
    theta -= lr * grad / (np.sqrt(s) + eps)
    return theta, s
