"""Python with the client of homey-tokend: the standard library only, and no token to handle.

Run it with the Python of the installation (~/.local/share/homey-tokend/bin/python or
/opt/homey-tokend/bin/python), or install homey-tokend with pip into your own venv.
"""

import sys

from homey_tokend import client

try:
    devices = client.call("GET", "/api/manager/devices/device")
except client.ClientError as error:
    print(error, error.hint, sep="\n", file=sys.stderr)
    sys.exit(error.exit_status)

if isinstance(devices, dict):
    for device in devices.values():
        print(device["name"])
