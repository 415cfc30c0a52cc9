"""posebot as a service: FastAPI behind Ray Serve, live streams, jobs, models. The API: docs/how-to/serve.md."""
