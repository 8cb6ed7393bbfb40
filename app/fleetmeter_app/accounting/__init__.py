"""What is recorded of a call: one record, with its tokens and its money."""
