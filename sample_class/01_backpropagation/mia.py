# Mia handed in the notebook as it came.
