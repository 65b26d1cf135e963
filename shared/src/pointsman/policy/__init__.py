"""How Pointsman decides. Pure: no I/O, no clock; time is an argument.

The live scheduler and everything that works over its log call the same functions.
"""
