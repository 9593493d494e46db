"""Anomaly scoring: comparison of images by residual and SSIM, coresets and nearest neighbours of features."""
