"""Chat models for every role: their clients, requests and replies, and the ledger of all calls."""
