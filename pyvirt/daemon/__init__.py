"""
The daemon: everything between a socket and a driver.

C{tap} is what twistd runs, C{config} reads its file, C{service} starts and stops it in order, C{server} counts
clients, C{session} is one connection, C{calls} what a session answers itself, C{subscriptions} its events.
"""
