# Goran's Adam has no bias correction.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    s = alpha*s + (1-alpha)*grad**2
    theta = theta - lr*grad/(np.sqrt(s)+eps)
    return theta, s

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    # momentum
    m = beta1*m + (1-beta1)*grad
    # rmsprop
    v = beta2*v + (1-beta2)*grad**2
    # both together
    theta = theta - lr*m/(np.sqrt(v)+eps)
    return theta, m, v

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    s = s + grad**2
    return theta - lr*grad/(np.sqrt(s)+eps), s
