"""Health check of a container: exit status 0 when its service is ready, else 1 and why."""

import http.client
import os
import sys
from http import HTTPStatus
from typing import Final

_TIMEOUT_S: Final = 3.0


def main() -> int:
    """Ask the service that listens on loopback, in this container, on `POINTSMAN_HEALTH_PORT`."""
    port = int(os.environ["POINTSMAN_HEALTH_PORT"])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        print(f"the service does not answer on port {port}: {error}")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
