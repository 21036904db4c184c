"""The HTTP API below `/api/v1`: off until a token exists, JSON only, described by its own OpenAPI document."""
