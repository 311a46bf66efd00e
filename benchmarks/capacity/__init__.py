"""What the search for a capacity is worth: servers whose capacity is known, searched by the very rules."""
