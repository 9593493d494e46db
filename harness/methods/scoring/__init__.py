"""From images to anomaly maps: windows and slices of a volume, comparisons of images, neighbours of features."""
