"""The least that could do: what the hub is measured beside. They share no code with it."""
