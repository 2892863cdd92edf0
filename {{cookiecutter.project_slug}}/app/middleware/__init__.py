"""What surrounds every request. Plain ASGI: a `BaseHTTPMiddleware` would cost a task for each request."""
