"""`/openapi.json`: what `/ask` takes and answers. The `/v1` routes are OpenAI's, whose documents describe them."""

from typing import Any

from pydantic.json_schema import models_json_schema

import fleetmeter
from fleetmeter_app.serving.ask import AskReply, AskRequest

_OPENAI = "https://platform.openai.com/docs/api-reference"


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    _, schemas = models_json_schema(
        [(AskRequest, "validation"), (AskReply, "serialization")], ref_template="#/components/schemas/{model}"
    )
    reply = {"$ref": "#/components/schemas/AskReply"}
    ask = {
        "summary": "Answer a question with the model that suits it.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": AskRequest.model_json_schema()}}},
        "responses": {"200": {"description": "The answer", "content": {"application/json": {"schema": reply}}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "fleetmeter gateway", "version": fleetmeter.__version__},
        "externalDocs": {"description": "The routes below /v1 are OpenAI's", "url": _OPENAI},
        "paths": {"/ask": {"post": ask}},
        "components": {"schemas": schemas["$defs"]},
    }
