"""Python with httpx: each request gets a valid token, and a newer one after a 401."""

import httpx

from homey_tokend import client
from homey_tokend.client_httpx import HomeyAuth

homey = client.json_object(client.ask_token(None, None, None, None, as_json=True))["url"]
with httpx.Client(base_url=str(homey), auth=HomeyAuth(min_ttl="1m")) as web:
    for device in web.get("/api/manager/devices/device").raise_for_status().json().values():
        print(device["name"])
