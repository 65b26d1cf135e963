"""The services at work together: a conversation, an overload, and ratings that turn a choice."""
