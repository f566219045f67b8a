"""Server of the Model Context Protocol: a client of the HTTP API, so scopes, rates and audit are those of the API."""
