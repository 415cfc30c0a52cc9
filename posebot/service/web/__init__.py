"""HTTP: routes, schemas, authentication of requests, error responses, and the web page."""
