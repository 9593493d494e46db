"""Records of preprocessed subjects: settings and checksums, reports and pictures."""
