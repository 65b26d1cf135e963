"""What runs next, where and with which variant: one round of grants."""
