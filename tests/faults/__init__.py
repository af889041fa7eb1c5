"""What goes wrong between processes: killed, stopped, full, hostile."""
