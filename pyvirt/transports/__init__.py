"""
How bytes get from here to there: client endpoints and, beside them, those of the daemon.
"""
