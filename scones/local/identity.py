"""Who the local cloud says it is: account, region, role, and its own address."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """What goes into ARNs and into the environment of every child that asks the cloud again."""

    endpoint_url: str
    """Where the gateway listens, "http://127.0.0.1:4566"."""
    account: str = "000000000000"
    region: str = "us-east-1"
    role_name: str = "SconesRole"

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and region: `arn("lambda", "function:f")`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    @property
    def role_arn(self) -> str:
        """The role that `sts get-caller-identity` shows as assumed."""
        return f"arn:aws:iam::{self.account}:role/service-role/{self.role_name}"

    def environment(self) -> dict[str, str]:
        """Variables that point an AWS client in a child process at this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "scones",
            "AWS_SECRET_ACCESS_KEY": "scones",
        }
