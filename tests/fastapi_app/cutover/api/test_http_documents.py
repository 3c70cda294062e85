"""The cutover's HTTP API: its document is held against what it does."""

from typing import Any

from fastapi.openapi.models import OpenAPI

from fastapi_app.cutover.api.http import admin_app
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from tests.fastapi_app.cutover.api.bench import TOKEN, Desk, on
from tests.fastapi_app.openapi import assert_references_lead_somewhere


async def test_the_documents_need_no_token_and_show_none(store: MemoryCutoverStore) -> None:
    async with on(admin_app(Desk(store), token=TOKEN), token=None) as http:
        pages = [await http.get("/cutover/openapi.json"), await http.get("/cutover/docs")]
    assert [page.status_code for page in pages] == [200, 200]
    assert not any(TOKEN in page.text for page in pages)


def test_the_document_is_valid_and_says_how_to_come_in(document: Any) -> None:
    OpenAPI.model_validate(document)
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["description"] and one["tags"] == ["cutover"] for one in operations)
    assert all(one["security"] == [{"HTTPBearer": []}] for one in operations)
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere(document: Any) -> None:
    assert_references_lead_somewhere(document)


def test_every_operation_is_there_with_its_answers(document: Any) -> None:
    shown = {
        f"{method.upper()} {path}": {
            status: response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            for status, response in one["responses"].items()
        }
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    }
    wrong, unauthorized, none, unavailable = ({status: "ErrorAnswer"} for status in ("400", "401", "404", "503"))
    assert shown == {
        "GET /cutover/endpoints": {"200": "EndpointsAnswer", **unauthorized, **unavailable},
        "GET /cutover/endpoint": {"200": "EndpointAnswer", **wrong, **unauthorized, **none, **unavailable},
        "PUT /cutover/modes": {
            "200": "ModesAnswer",
            **wrong,
            **unauthorized,
            "409": "ConflictAnswer",
            "413": "ErrorAnswer",
            "415": "ErrorAnswer",
            "422": "ErrorAnswer",
            **unavailable,
        },
        "POST /cutover/forget": {
            "200": "ForgottenAnswer",
            **wrong,
            **unauthorized,
            "413": "ErrorAnswer",
            "415": "ErrorAnswer",
            "422": "ErrorAnswer",
            **unavailable,
        },
        "GET /cutover/log": {"200": "LogAnswer", **wrong, **unauthorized, **unavailable},
        "GET /cutover/mismatches": {"200": "MismatchesAnswer", **wrong, **unauthorized, **unavailable},
        "GET /cutover/mismatches/{mismatch_id}": {"200": "MismatchAnswer", **unauthorized, **none, **unavailable},
        "GET /cutover/health": {"200": "HealthAnswer", **unauthorized},
    }


def test_the_parameters_show_their_rules(document: Any) -> None:
    shown = {
        path: {one["name"]: (one["in"], one["required"]) for one in methods["get"]["parameters"]}
        for path, methods in document["paths"].items()
        if "parameters" in methods.get("get", {})
    }
    assert shown == {
        "/cutover/endpoint": {"name": ("query", True), "limit": ("query", False)},
        "/cutover/log": {"endpoint": ("query", False), "limit": ("query", False)},
        "/cutover/mismatches": {"endpoint": ("query", False), "limit": ("query", False)},
        "/cutover/mismatches/{mismatch_id}": {"mismatch_id": ("path", True)},
    }
    limits = [
        one["schema"]
        for methods in document["paths"].values()
        for one in methods.get("get", {}).get("parameters", ())
        if one["name"] == "limit"
    ]
    assert [(one["minimum"], one["maximum"], one["default"]) for one in limits] == [
        (1, 500, 20),
        (1, 500, 50),
        (1, 500, 20),
    ]


def test_the_change_s_body_shows_its_rules(document: Any) -> None:
    body = document["paths"]["/cutover/modes"]["put"]["requestBody"]
    assert body["required"] is True
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["changes", "author", "reason"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["changes"]["additionalProperties"] == {"$ref": "#/components/schemas/EndpointMode"}
    mode = document["components"]["schemas"]["EndpointMode"]
    assert mode["required"] == ["mode"]
    assert mode["properties"]["mode"]["enum"] == ["legacy", "shadow", "canary", "verify", "native"]
    assert mode["additionalProperties"] is False


def test_the_body_of_what_is_to_be_forgotten_shows_its_rules(document: Any) -> None:
    body = document["paths"]["/cutover/forget"]["post"]["requestBody"]
    assert body["required"] is True
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["endpoints", "author", "reason"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["endpoints"]["anyOf"] == [
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "string", "const": "all"},
    ]


async def test_another_prefix_moves_everything(store: MemoryCutoverStore) -> None:
    async with on(admin_app(Desk(store), token=TOKEN, prefix="/ops/moves")) as http:
        assert (await http.get("/ops/moves/endpoints")).status_code == 200
        assert (await http.get("/ops/moves/docs")).status_code == 200
        assert (await http.get("/ops/moves/openapi.json")).json()["paths"].keys() >= {"/ops/moves/modes"}
        assert (await http.get("/cutover/endpoints")).status_code == 404
