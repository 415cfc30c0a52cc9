"""posebot as a service: FastAPI behind Ray Serve, live streams, jobs, models. The API is described in docs/serve.md."""
