"""The smallest application of the same libraries: Litestar, and SQLAlchemy on aiosqlite.

``python -m bench.floors.cold PORT``
"""

from __future__ import annotations

import sys

import sqlalchemy as sa
import uvicorn
from litestar import Litestar, get
from sqlalchemy.ext.asyncio import create_async_engine

_engine = create_async_engine("sqlite+aiosqlite://")


@get("/")
async def ready() -> int:
    """Ask the database for a number."""
    async with _engine.connect() as connection:
        return (await connection.execute(sa.select(1))).scalar_one()


if __name__ == "__main__":
    uvicorn.run(
        Litestar([ready], openapi_config=None),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
