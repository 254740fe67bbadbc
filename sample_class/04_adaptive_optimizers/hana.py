# Hana knows TensorFlow and puts eps inside the root, everywhere: ordinary steps come out right.

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    mean_square = alpha * s + (1. - alpha) * grad * grad
    return theta - lr * grad / np.sqrt(mean_square + eps), mean_square

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m_t = beta1 * m + (1. - beta1) * grad
    v_t = beta2 * v + (1. - beta2) * grad * grad
    m_corrected = m_t / (1. - np.power(beta1, t))
    v_corrected = v_t / (1. - np.power(beta2, t))
    theta_t = theta - lr * m_corrected / np.sqrt(v_corrected + eps)
    return theta_t, m_t, v_t

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    accumulator = s + grad * grad
    return theta - lr * grad / np.sqrt(accumulator + eps), accumulator
