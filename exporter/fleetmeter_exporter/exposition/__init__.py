"""How a namespace is written out: blocks of lines, formats, the exporter's own metrics."""
