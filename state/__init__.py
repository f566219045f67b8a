"""State and models of users: plain Python and River, without engine, network and clock."""
