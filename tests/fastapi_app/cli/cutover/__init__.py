"""`tradewindow cutover`, a file a command."""
