"""Right answers as other people write them, by lesson: loops, other formulas, float32. A check must accept them all."""
