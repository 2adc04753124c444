"""JSON: one document, or a message or record per line."""
