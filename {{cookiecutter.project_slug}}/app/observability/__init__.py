"""What the application tells of itself while it runs: logs, metrics, traces, errors that nobody foresaw."""
