"""Settings: a wrong one is a sentence, and never an accident later."""

import pytest
from tenantscope_core.serving.settings import (
    CoreSettings,
    WrongSettings,
    load_settings,
    misspelt_settings,
    settings_table,
)

GOOD = {
    "TENANTSCOPE_ISSUER": "https://issuer.example",
    "TENANTSCOPE_AUDIENCE": "https://mcp.example/mcp, api://other",
    "TENANTSCOPE_TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant",
    "AWS_REGION": "eu-west-1",
}


def test_good_settings_are_read_and_typed():
    settings = load_settings(CoreSettings, GOOD | {"TENANTSCOPE_PORT": "0", "TENANTSCOPE_OPEN_DISCOVERY": "1"})
    assert settings.audience == ("https://mcp.example/mcp", "api://other")
    assert (settings.port, settings.open_discovery, settings.aws_region) == (0, True, "eu-west-1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"TENANTSCOPE_AUDIENCE": ""}, "TENANTSCOPE_AUDIENCE is required"),
        ({"TENANTSCOPE_ISSUER": ""}, "TENANTSCOPE_ISSUER is required"),
        ({"TENANTSCOPE_ISSUER": "issuer.example"}, "TENANTSCOPE_ISSUER: must be a URL"),
        ({"TENANTSCOPE_ALGORITHMS": "RS256 HS256"}, "never none, never HS*"),
        ({"TENANTSCOPE_ALGORITHMS": "none"}, "never none, never HS*"),
        ({"TENANTSCOPE_TENANT_ROLE_ARN": ""}, "TENANTSCOPE_TENANT_ROLE_ARN is required"),
        ({"TENANTSCOPE_PORT": "many"}, "TENANTSCOPE_PORT"),
        ({"TENANTSCOPE_CURSOR_KEY": "short-secret"}, "TENANTSCOPE_CURSOR_KEY: must have at least 32"),
        ({"TENANTSCOPE_LIMITS": "{"}, "TENANTSCOPE_LIMITS must be JSON"),
        ({"TENANTSCOPE_LIMITS": '{"gold": {"per_minute": 0, "burst": 1, "concurrent": 1}}'}, "TENANTSCOPE_LIMITS"),
        ({"TENANTSCOPE_TOKEN": "a", "TENANTSCOPE_TOKEN_FILE": "b"}, "set only one of"),
        ({"TENANTSCOPE_BROKER": "magic"}, "TENANTSCOPE_BROKER"),
        (
            {"TENANTSCOPE_VALKEY_URL": "http://cache:6379"},
            "TENANTSCOPE_VALKEY_URL: must be a URL that begins with valkey",
        ),
        ({"TENANTSCOPE_CALL_TIMEOUT_SECONDS": "0"}, "TENANTSCOPE_CALL_TIMEOUT_SECONDS"),
    ],
)
def test_a_wrong_setting_refuses_to_start_with_a_sentence_that_names_it(change: dict[str, str], words: str):
    with pytest.raises(WrongSettings) as refused:
        load_settings(CoreSettings, GOOD | change)
    assert words in str(refused.value)
    assert "short-secret" not in str(refused.value)


def test_only_the_environment_that_is_given_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TENANTSCOPE_PORT", "1234")
    assert load_settings(CoreSettings, GOOD).port == 8000


def test_client_ids_may_stand_in_for_an_audience():
    settings = load_settings(CoreSettings, GOOD | {"TENANTSCOPE_AUDIENCE": "", "TENANTSCOPE_CLIENT_IDS": "app"})
    assert settings.client_ids == ("app",)


def test_a_misspelt_setting_is_told_with_its_nearest():
    (sentence,) = misspelt_settings(CoreSettings, [*GOOD, "TENANTSCOPE_TENANT_TABLE", "PATH"])
    assert "TENANTSCOPE_TENANTS_TABLE" in sentence


def test_every_setting_is_described():
    table = settings_table(CoreSettings)
    assert all(field.description for field in CoreSettings.model_fields.values())
    assert table.count("\n") == len(CoreSettings.model_fields) + 1


def test_no_secret_shows_in_a_dump():
    settings = load_settings(CoreSettings, GOOD | {"TENANTSCOPE_TOKEN": "s3cr3t", "TENANTSCOPE_EXTERNAL_ID": "s3cr3t"})
    assert "s3cr3t" not in repr(settings)
