"""The extractor over HTTP: processes of the model, what stands before them, and the shapes that clients know."""
