"""Whether this process lives and may get traffic, for orchestrators and load balancers. Open to everybody."""

from fastapi import APIRouter
from starlette.responses import Response

from lifesign.api.problems import problem_response
from lifesign.api.replies import reply
from lifesign.service.services import Services


def health_routes(services: Services) -> APIRouter:
    """`/healthz` and `/readyz`."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> Response:
        """The process lives and its loop comes round."""
        return reply({"status": "ok"})

    @router.api_route("/readyz", methods=["GET", "HEAD"])
    async def readyz() -> Response:
        """The database answers and the engine is on time."""
        reasons = await services.status.unready()
        if not reasons:
            return reply({"status": "ready"})
        return problem_response(
            status=503, code="not_ready", detail=" ".join(reasons), headers={"retry-after": "5"}
        )

    return router
