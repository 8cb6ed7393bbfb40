"""The exposition of random namespaces: what is served is what is stored, in every format, whatever happened before.

    python -m fuzz --families 200000          as many families, on every core
    python -m fuzz --seed 17 --families 1000  from another seed on

A story has one or two namespaces, at three moments. `drawing` makes them of a seed, hypothesis chooses the seeds, and
`property` holds what our exposition says against prometheus_client's own writers and parsers, and promtool.
"""
