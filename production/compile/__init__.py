"""Kernels, compiled before anybody asks."""
