"""The least that FastAPI can answer."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/hello")
async def hello() -> dict[str, str]:
    """Answer always the same."""
    return {"message": "hello"}
