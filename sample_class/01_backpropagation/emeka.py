# Emeka got as far as the linear layer; what he wrote is right.

# %% numerical_gradient
def numerical_gradient(f, theta, h=1e-5):
    grad = np.zeros_like(theta)
    for idx in np.ndindex(*theta.shape):
        old = theta[idx]
        theta[idx] = old + h
        fp = f(theta)
        theta[idx] = old - h
        fm = f(theta)
        theta[idx] = old          # put it back!
        grad[idx] = (fp - fm) / (2 * h)
    return grad

# %% relu_backward
def relu_backward(dout, x):
    mask = x > 0
    return dout * mask

# %% linear_backward
def linear_backward(dout, x, W):
    # dx: (N, D_out) @ (D_out, D_in)
    dx = dout @ W.transpose()
    # dW: (D_in, N) @ (N, D_out)
    dW = x.transpose() @ dout
    db = dout.sum(axis=0)
    return dx, dW, db
