"""Page of users: the learned values, the reasons, and the user's decisions."""
