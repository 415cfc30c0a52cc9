"""Who calls and what they may do: API keys, Entra ID tokens, session cookies, tickets, rate limits."""
