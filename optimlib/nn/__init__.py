"""How is a layer's backward pass written? Layers, losses and initial weights, each with its gradient."""
