"""The broker: who is who, and where each can be reached. It never sees a message."""
