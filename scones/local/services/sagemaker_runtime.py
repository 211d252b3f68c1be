"""SageMaker Runtime: InvokeEndpoint."""

import asyncio
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.sagemaker.capture import Captures, Exchange
from scones.local.sagemaker.endpoints import Deployment, Endpoints
from scones.local.sagemaker.serving import Variant
from scones.local.sagemaker.upstream import Answer

MAX_BODY_BYTES = 6 * 1024 * 1024
"""Of a request (API reference, InvokeEndpoint)."""
TIMEOUT_S = 60.0
"""That a model may take (API reference, InvokeEndpoint)."""
MAX_HEADER = 1024
"""Characters of CustomAttributes that a container may answer with."""


class SageMakerRuntime:
    """Requests to endpoints, passed on and captured."""

    def __init__(self, *, identity: Identity, endpoints: Endpoints, captures: Captures) -> None:
        self._identity = identity
        self._endpoints = endpoints
        self._captures = captures

    async def __aenter__(self) -> "SageMakerRuntime":
        await self._captures.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._captures.__aexit__()

    async def invoke_endpoint(
        self,
        EndpointName: str,
        Body: bytes,
        ContentType: str | None = None,
        Accept: str | None = None,
        CustomAttributes: str | None = None,
        TargetVariant: str | None = None,
        InferenceId: str | None = None,
    ) -> dict[str, Any]:
        if len(Body) > MAX_BODY_BYTES:
            # Wording: https://github.com/aws/sagemaker-python-sdk/issues/171
            raise ServiceError("413", f"HTTP content length exceeded {MAX_BODY_BYTES} bytes.", 413)
        deployment = await self._deployment(EndpointName)
        variant = deployment.pick(TargetVariant)
        if variant is None:
            raise _invalid(f"Variant {TargetVariant} of endpoint {EndpointName} not found.")
        asked = {
            "Content-Type": ContentType,
            "Accept": Accept,
            "X-Amzn-SageMaker-Custom-Attributes": CustomAttributes,
            "X-Amzn-SageMaker-Inference-Id": InferenceId,
        }
        headers = {name: _one_line(name, text) for name, text in asked.items() if text is not None}
        answer = await self._ask(deployment, variant, headers, Body)
        answer_type = answer.headers.get("content-type", "application/octet-stream")
        if deployment.rule is not None:
            self._captures.record(
                deployment.rule,
                deployment.endpoint,
                variant.name,
                Exchange(
                    Body,
                    ContentType or "application/octet-stream",
                    answer.body,
                    answer_type,
                    InferenceId,
                    CustomAttributes,
                ),
            )
        result = {
            "Body": answer.body,
            "ContentType": answer_type,
            "InvokedProductionVariant": variant.name,
        }
        attributes = answer.headers.get("x-amzn-sagemaker-custom-attributes")
        if attributes is not None:
            result["CustomAttributes"] = attributes[:MAX_HEADER]
        return result

    async def _deployment(self, name: str) -> Deployment:
        deployment = await self._endpoints.live(name)
        if deployment is not None:
            return deployment
        status = self._endpoints.status(name)
        if status is None:
            raise _invalid(f"Endpoint {name} of account {self._identity.account} not found.")
        raise _invalid(
            f"Endpoint {name} of account {self._identity.account} is not in service: "
            f"its status is {status}."
        )

    async def _ask(
        self, deployment: Deployment, variant: Variant, headers: dict[str, str], body: bytes
    ) -> Answer:
        """The container's answer, if it is one of success."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await variant.invoke(headers, body)
        except TimeoutError as error:
            raise self._model_error(deployment, 0, _TIMED_OUT) from error
        except ConnectionRefusedError as error:
            raise ServiceError("ServiceUnavailable", str(error), 503) from error
        except (ConnectionError, OSError) as error:
            raise ServiceError("InternalFailure", f"{_NO_ANSWER} ({error})", 500) from error
        if not 200 <= answer.status < 300:
            text = answer.body.decode("utf-8", "replace")
            raise self._model_error(deployment, answer.status, text)
        return answer

    def _model_error(self, deployment: Deployment, status: int, said: str) -> ServiceError:
        """ModelError in AWS's words, seen in a public project's capture of a bad picture."""
        region, group = self._identity.region, f"/aws/sagemaker/Endpoints/{deployment.endpoint}"
        whose = "client" if 400 <= status < 500 else "server"
        message = (
            f'Received {whose} error ({status}) from primary with message "{said}". '
            f"See https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={group} in account {self._identity.account} "
            "for more information."
        )
        return ServiceError(
            "ModelError",
            message,
            424,
            OriginalStatusCode=status,
            OriginalMessage=said,
            LogStreamArn=self._identity.arn("logs", f"log-group:{group}"),
        )


_NO_ANSWER = "An exception occurred while sending request to model."
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. "
    "Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, "
    "and try again."
)


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)


def _one_line(name: str, text: str) -> str:
    """A header's value that cannot end its line."""
    if not text.isprintable() or not text.isascii():
        raise _invalid(f"{name} must be printable ASCII")
    return text
