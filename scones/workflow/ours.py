"""Whose is what bears the names that we are about to use: ours by its tag, or somebody else's."""

from collections.abc import Iterator
from typing import Any

from scones.clients import Clients


def refuse_foreign(clients: Clients, machine_arn: str, endpoint_arn: str | None) -> None:
    """ValueError if a function, machine or endpoint that `deploy` would change is not ours.

    The course's own functions bear our functions' names: they must not be written over.
    """
    for setting, what, tags in _named(clients, machine_arn, endpoint_arn):
        if not is_ours(clients, tags):
            raise ValueError(
                f"{what} is there already and not ours (it lacks the tag scones:project="
                f"{clients.settings.project}); delete it, or choose another name with "
                f"SCONES_{setting.upper()}"
            )


def is_ours(clients: Clients, tags: dict[str, str]) -> bool:
    """Whether tags mark something as made by this project."""
    return clients.tags.items() <= tags.items()


def _named(
    clients: Clients, machine_arn: str, endpoint_arn: str | None
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Setting, words and tags of everything that exists under our names."""
    settings = clients.settings
    for setting in ("serialize_function", "classify_function", "accept_function"):
        name = getattr(settings, setting)
        tags = _function_tags(clients.functions, name)
        if tags is not None:
            yield setting, f"function {name!r}", tags
    tags = _machine_tags(clients.machines, machine_arn)
    if tags is not None:
        yield "machine", f"state machine {settings.machine!r}", tags
    if endpoint_arn is not None:
        listed = clients.sagemaker.list_tags(ResourceArn=endpoint_arn)["Tags"]
        tags = {tag["Key"]: tag["Value"] for tag in listed}
        yield "endpoint", f"endpoint {settings.endpoint!r}", tags


def _function_tags(functions: Any, name: str) -> dict[str, str] | None:
    try:
        tags: dict[str, str] = functions.get_function(FunctionName=name).get("Tags", {})
        return tags
    except functions.exceptions.ResourceNotFoundException:
        return None


def _machine_tags(machines: Any, arn: str) -> dict[str, str] | None:
    try:
        machines.describe_state_machine(stateMachineArn=arn)
        tags = machines.list_tags_for_resource(resourceArn=arn)["tags"]
        return {tag["key"]: tag["value"] for tag in tags}
    except machines.exceptions.StateMachineDoesNotExist:
        return None
