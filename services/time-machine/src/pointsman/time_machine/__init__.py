"""What would have happened: runs the policies over recorded or made-up tasks, without devices."""
