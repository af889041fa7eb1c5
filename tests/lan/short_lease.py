"""Serves as a broker whose leases are short; prints the invite when it is ready.

python short_lease.py FOLDER PORT SECONDS
"""

import signal
import sys
from pathlib import Path

from landline_broker.address import Listen
from landline_broker.server import Broker
from landline_broker.settings import Settings
from landline_sql.store import Rules


def serve(folder: str, port: str, seconds: str) -> None:
    """Serve until SIGTERM."""
    settings = Settings(
        Path(folder),
        listen=Listen("*", int(port)),
        bcrypt_cost=4,
        rules=Rules(lease=float(seconds)),
    )
    with Broker(settings) as broker:
        signal.signal(signal.SIGTERM, lambda *_: broker.ended.set())
        print(f"ready {broker.invite}", flush=True)
        broker.ended.wait()


if __name__ == "__main__":
    serve(*sys.argv[1:])
