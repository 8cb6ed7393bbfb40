"""What stands in the store, and how it is written: keys, definitions, scales, rows, exemplars."""
