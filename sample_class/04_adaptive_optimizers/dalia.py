# Dalia puts the pieces that come back again into helpers, in cells of her own; all of it is right.

# %% extra before rmsprop_step
def running_average(old, new, keep):
    """keep is the share of the old one"""
    return keep * old + (1.0 - keep) * new

def normalised(direction, squares, eps):
    return direction / (np.sqrt(squares) + eps)

# %% rmsprop_step
def rmsprop_step(theta, grad, s, lr, alpha, eps):
    s_new = running_average(s, np.square(grad), alpha)
    return theta - lr * normalised(grad, s_new, eps), s_new

# %% extra before adam_step
def unbiased(average, beta, t):
    return average / (1.0 - beta ** t)

# %% adam_step
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m_new = running_average(m, grad, beta1)
    v_new = running_average(v, np.square(grad), beta2)
    direction = normalised(unbiased(m_new, beta1, t), unbiased(v_new, beta2, t), eps)
    return theta - lr * direction, m_new, v_new

# %% adagrad_step
def adagrad_step(theta, grad, s, lr, eps):
    s_new = s + np.square(grad)
    return theta - lr * normalised(grad, s_new, eps), s_new

# %% adamw_step
def adamw_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    m_new = running_average(m, grad, beta1)
    v_new = running_average(v, np.square(grad), beta2)
    direction = normalised(unbiased(m_new, beta1, t), unbiased(v_new, beta2, t), eps)
    # both pulls start from the old theta
    return theta - lr * (direction + weight_decay * theta), m_new, v_new

# %% extra after adamw_step
w = np.array([1.0, -2.0])
print(adamw_step(w, np.ones(2), np.zeros(2), np.zeros(2), 1, 0.1, 0.9, 0.999, 1e-8, 0.5)[0])
