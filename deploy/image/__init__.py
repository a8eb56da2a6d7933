"""The image of the services: how it is built (`python -m deploy.image`), and run for tests."""
