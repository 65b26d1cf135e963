"""The recorded load of some time under another policy."""
