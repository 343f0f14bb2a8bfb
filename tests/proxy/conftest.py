"""The API on a real socket."""

from tests.support.api import desk, folder, http, server, socket_path

__all__ = ["desk", "folder", "http", "server", "socket_path"]
