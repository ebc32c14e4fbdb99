"""Questions to the results database: filters, counts, paths that people name."""
