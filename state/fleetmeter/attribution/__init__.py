"""Who something was done for: values that follow a context, and the user's own labels that show them."""
