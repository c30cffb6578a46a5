"""Reports of benchmark runs: Markdown, one HTML page, figures."""
