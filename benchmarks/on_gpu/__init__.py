"""Steps of benchmarks/gpu.py."""
