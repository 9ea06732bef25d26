"""The identity provider of the sandbox: keys, tokens, and the server that publishes and issues them."""
