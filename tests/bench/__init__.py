"""Side-by-side benchmarks, run by `make bench`; `make bench ONLY=flush` runs one. Nothing here asserts a time."""
