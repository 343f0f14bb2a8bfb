"""The API on a real socket."""

from tests.support.api import folder, http, provider, server, socket_path

__all__ = ["folder", "http", "provider", "server", "socket_path"]
