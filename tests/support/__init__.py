"""What tests stand on: servers, child processes, deadlines. Nothing here tests Landline."""
