"""Writing a namespace out: formats, blocks of lines, and the exporter's own metrics."""
