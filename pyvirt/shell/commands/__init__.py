"""
The commands, each a small class, grouped in modules by what they are about; C{COMMANDS} lists those of a module.
"""
