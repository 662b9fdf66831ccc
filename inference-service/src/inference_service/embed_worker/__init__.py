"""The worker process that computes the built-in embeddings; only it imports numpy, onnx and onnxruntime."""
