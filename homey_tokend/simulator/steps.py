"""The names that journal, log and faults file share."""

#: Requests are named alike in journal, log and faults file. The first nine are the
#: steps of the flow; the others are what else a client asks a Homey for.
STEPS = (
    "login",
    "authorise",
    "consent",
    "token",
    "user",
    "delegation",
    "homey_login",
    "session",
    "variable",
    "ping",
    "devices",
    "other",
)
