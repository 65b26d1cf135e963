"""Who gives the commands of this command line."""

import getpass


def author() -> str:
    """The user as the log names him; his operating system vouches for him and nobody else."""
    return f"cli:{getpass.getuser()}"
