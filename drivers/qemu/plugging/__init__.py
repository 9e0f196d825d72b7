"""
Devices coming to guests and leaving them, and what can be changed of those that stay.
"""
