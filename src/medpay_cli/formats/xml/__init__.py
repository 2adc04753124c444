"""XML: documents, read and written by one tree of places, and the schemas for partners."""
