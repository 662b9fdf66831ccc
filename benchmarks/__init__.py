"""Side-by-side measurements that anyone can run: `make bench`, or `uv run python -m benchmarks.hop`."""
