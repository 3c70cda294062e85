"""`/api/health`"""

from flask import Blueprint, Response, jsonify

blueprint = Blueprint("health", __name__)


@blueprint.get("/api/health")
def health() -> Response:
    return jsonify(status="healthy")
