"""Users and tokens of the emulated Cognito pool: access tokens without `aud`, with `client_id` and `token_use`."""

from contextlib import suppress
from typing import Any


def sign_in(
    cognito: Any, pool: str, client: str, *, email: str, password: str, tenant: str | None, tier: str | None = None,
    groups: tuple[str, ...] = (),
) -> dict[str, str]:  # fmt: skip
    """Create a user unless known, sign it in and return its `access` and `id` token."""
    attributes = {"email": email, "email_verified": "true", "custom:tenantId": tenant, "custom:tenantTier": tier}
    listed = [{"Name": name, "Value": value} for name, value in attributes.items() if value is not None]
    with suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(UserPoolId=pool, Username=email, UserAttributes=listed, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
    for group in groups:
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=group)
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )["AuthenticationResult"]
    return {"access": answer["AccessToken"], "id": answer["IdToken"]}
