"""What README.md and the other pages say is true of the code, and what they show runs."""
