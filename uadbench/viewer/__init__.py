"""Viewer of volumes in the browser: self-contained HTML pages that show scans, score maps and delineated lesions."""
