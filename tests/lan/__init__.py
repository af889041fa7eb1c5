"""Several nodes on a network: who finds whom, and what happens when cables are pulled."""
