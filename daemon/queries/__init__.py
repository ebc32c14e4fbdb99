"""Queries to the results database: filters, counts, new rows, and the photos that a person named."""
