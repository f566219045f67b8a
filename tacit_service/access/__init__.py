"""Access: tokens with scopes, user links, page sessions and rates."""
