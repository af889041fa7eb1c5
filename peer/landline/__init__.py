"""The peer: what one person runs to talk straight to another."""
