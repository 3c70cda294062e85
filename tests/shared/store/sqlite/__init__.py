"""What holds of the SQLite store beyond the contract: its file, its processes, and what can go wrong with a disk."""
