"""What runs outside of the graph once a model is there."""
