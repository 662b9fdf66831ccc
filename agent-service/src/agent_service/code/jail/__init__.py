"""What runs in the sandbox's own processes. Nothing here imports the service, its settings or `shared`."""
