"""What can't work is refused before the first request, and what AWS refuses is said as plainly."""

from __future__ import annotations

import copy
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
    ProxyConnectionError,
)

from emulator import Credential, Emulator, Pool
from tap_cognito.config import settings, validation
from tap_cognito.error_codes import classify
from tap_cognito.error_messages import Request, from_botocore
from tap_cognito.tap import TapCognito
from tests.support.programs import IMPATIENT_TAP, TAP, emulator_config, run_tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

POOL = {"user_pool_id": "us-east-1_AbCdEf"}
KEY_ID = "AKIAPLANTEDKEYID0001"
SECRET = "planted/secret+access/key+0000000000001"
TOKEN = "planted/session+token/0001"
PAIR = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
TEMPORARY = {**PAIR, "aws_session_token": TOKEN}
ROLE = {"aws_assume_role_arn": "arn:aws:iam::123456789012:role/path/reader"}
REFERENCES = {"aws_access_key_id": "env://KEY", "aws_secret_access_key": "env://SECRET"}
VAULT = {"vault_url": "postgresql://reader:planted-password@127.0.0.1/postgres"}
PLANTED_URL = "https://user:planted@cognito.example.com:444/planted?planted"
DOWN: Any = {
    "Error": {"Code": "Down", "Message": "<html>planted"},
    "ResponseMetadata": {"HTTPStatusCode": 503},
}
SECRETS = (KEY_ID, SECRET, TOKEN, "planted-password")


def problems(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings, the SDK's own included."""
    schema = copy.deepcopy(settings.SCHEMA)
    TapCognito.append_builtin_config(schema)
    return validation.validate(validation.normalize(given, schema), schema)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pool that knows one temporary key."""
    with Emulator(Pool(10), credentials={KEY_ID: Credential(SECRET, TOKEN)}) as made:
        yield made


def refusal(config: Mapping[str, Any], program: Sequence[str] = TAP) -> str:
    """Run the tap; it must fail with one line, which is returned."""
    # The SDK warns of Python 3.10, which has had its time.
    run = run_tap(config, env={"PYTHONWARNINGS": "ignore"}, program=program)
    assert run.returncode == 1, run.stderr
    assert '"RECORD"' not in run.stdout
    (line,) = [line for line in run.stderr.splitlines() if "INFO" not in line]
    assert "| ERROR " in line
    assert not [secret for secret in SECRETS if secret in run.stderr]
    return line


# What works


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"user_pool_id": "local_xxx"},
        {"user_pool_id": "local_xxx", "region": "eu-west-1"},
        {"user_pool_id": "us-gov-west-1_0aZ9"},
        {"region": "us-east-1"},
        {"region": "eu-west-1"},
        {"user_pool_id": None, "user_pool_ids": ["eu-west-1_*", "us-east-1_AbCdEf"]},
        {"user_pool_id": None, "user_pool_ids": ["us-east-1_*"], "region": "eu-west-1"},
        PAIR,
        TEMPORARY,
        {"aws_access_key_id": KEY_ID, "api_key_id": "cognito", **VAULT},
        {"aws_access_key_id": KEY_ID, "aws_secret_access_key": "supabase-vault://a", **VAULT},
        {"aws_profile": "reader"},
        ROLE,
        {**TEMPORARY, **ROLE},
        {"aws_profile": "reader", **ROLE, "aws_assume_role_external_id": "https://one/two"},
        {**ROLE, "aws_assume_role_external_id": "supabase-vault://a", **VAULT},
        {**ROLE, "aws_assume_role_session_name": "nightly@example.com"},
        {"attributes_format": "list"},
        {"start_date": "2026-01-01"},
        {"start_date": "2026-01-01T00:00:00+09:00"},
        {"endpoint_url": "https://cognito.example.com:8443/path"},
        {"endpoint_url": "http://localhost:5000"},
        {"endpoint_url": "http://[::1]:5000"},
        {"endpoint_url": "http://moto:5000", "allow_http": True},
        {"endpoint_url": "https://vpce-1.cognito-idp.us-east-1.vpce.amazonaws.com", **REFERENCES},
        {"endpoint_url": "http://127.0.0.1:5000", **REFERENCES},
        {"endpoint_url": "https://cognito.example.com", **PAIR},
        {"attributes_include": ["sub"]},
        {"attributes_exclude": ["email", "custom:plan"]},
        {"resume_within_hours": 0, "user_mfa_requests_per_second": 1000},
        {"resume_within_hours": 0.5},
        {"max_requests_per_second": 1, "lookback_seconds": 0},
        {"aws_profile": None, "region": None},
        {"stream_maps": {"users": {"email": "md5(email)"}}, "flattening_enabled": False},
        {"flattening_enabled": True, "flattening_max_depth": 1},
    ],
    ids=repr,
)
def test_settings_that_work_have_no_problem(given: Mapping[str, Any]) -> None:
    """Settings that can work are accepted."""
    assert problems({**POOL, **given}) == []


@pytest.mark.parametrize(
    "user_filter",
    [
        'status = "Enabled"',
        'email ^= "a"',
        '"email" ^= "a"',
        'email="ada@example.com"',
        'cognito:user_status = "CONFIRMED"',
        r'family_name = "Reddy \"the\" \\ Great"',
        'name = ""',
        ' sub ^= "0" ',
        'username = "a = b"',
        'name = "山田"',
    ],
)
def test_a_filter_that_cognito_takes_is_no_problem(user_filter: str) -> None:
    """Each form that ListUsers documents is passed on."""
    assert problems({**POOL, "user_filter": user_filter}) == []


# What doesn't


POOL_ARN = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_AbCdEf123"
EMPTY_OR_NOT = ("user_pool_id", "region", "endpoint_url", "user_filter", *TEMPORARY)
NEITHER = "set both, or neither"
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"user_pool_id": None}, "`user_pool_id` is missing"),
    *(
        ({"user_pool_id": bad}, "`user_pool_id` isn't valid: set it to the id of a user pool")
        for bad in ("us-east-1", "AbCdEf", "us-east-1_Ab-Cd", "us-east-1_", "a b_c", "_AbC")
    ),
    ({"user_pool_id": f"us-east-1_{'a' * 60}"}, "`user_pool_id` isn't valid: set it to"),
    # An ARN is too long, and has the wrong form.
    ({"user_pool_id": POOL_ARN}, "`user_pool_id` isn't valid: set it to the id of a user pool"),
    *(({name: ""}, f"`{name}` is empty: set it") for name in EMPTY_OR_NOT),
    ({"region": "Virginia"}, "`region` isn't valid: set it to an AWS region, such as"),
    ({"attributes_format": "json"}, "`attributes_format` must be one of: object, list"),
    ({"endpoint_url": "localhost:5000"}, "`endpoint_url` isn't valid: set it to"),
    ({"max_requests_per_second": 0}, "`max_requests_per_second` isn't valid (0): set it to a"),
    ({"max_requests_per_second": "24"}, "`max_requests_per_second` must be of type integer"),
    ({"max_requests_per_second": 1.5}, "`max_requests_per_second` must be of type integer"),
    ({"lookback_seconds": -1}, "`lookback_seconds` isn't valid (-1): set it to a number"),
    ({"emit_activate_version_messages": "yes"}, "`emit_activate_version_messages` must be of type"),
    ({"aws_profile": ["a"]}, "`aws_profile` must be of type string"),
    *(({**TEMPORARY, name: 5}, f"`{name}` must be of type string") for name in TEMPORARY),
    ({"start_date": "yesterday"}, "`start_date` isn't a valid date: write it as"),
    ({"start_date": "2026-13-01"}, "`start_date` isn't a valid date: write it as"),
    ({"start_date": 5}, "`start_date` must be of type string"),
    ({"user_pool": "x"}, "`user_pool` isn't a setting: did you mean `user_pool_id`?"),
    ({"aws_secret_acces_key": SECRET}, "did you mean `aws_secret_access_key`?"),
    ({"xyz": 1}, "`xyz` isn't a setting: `tap-cognito --about` lists them all"),
    ({"x" * 40: 1}, f"`{'x' * 40}` isn't a setting: `tap-cognito --about` lists them all"),
    ({"x" * 41: 1}, "a name isn't a setting: `tap-cognito --about` lists them all"),
    # Pools
    (
        {"user_pool_ids": ["us-east-1_*"]},
        "`user_pool_id` and `user_pool_ids` are both set: leave one of them out",
    ),
    *(
        ({"user_pool_id": None, "user_pool_ids": bad}, "`user_pool_ids` isn't valid: set it to a")
        for bad in ([], ["*"], ["us-east-1_Ab*"], ["*_AbCdEf"], ["us-east-1_a"] * 2)
    ),
    (
        {"user_pool_id": None, "user_pool_ids": "us-east-1_*"},
        "`user_pool_ids` must be of type array",
    ),
    (
        {
            "user_pool_id": None,
            "user_pool_ids": ["eu-west-1_*", "us-east-1_a"],
            "region": "us-east-1",
        },
        "`region` is set but `user_pool_ids` names several regions: leave `region` out",
    ),
    # What is read, and how fast
    (
        {"attributes_include": ["sub"], "attributes_exclude": ["email"]},
        "`attributes_include` and `attributes_exclude` are both set: leave one of them out",
    ),
    ({"attributes_include": ["sub", 5]}, "`attributes_include` isn't valid (5): set it to a list"),
    ({"attributes_exclude": "email"}, "`attributes_exclude` must be of type array"),
    ({"user_mfa_requests_per_second": 0}, "`user_mfa_requests_per_second` isn't valid (0)"),
    ({"resume_within_hours": -1}, "`resume_within_hours` isn't valid (-1): set it to a number"),
    ({"resume_within_hours": "6"}, "`resume_within_hours` must be of type number"),
    ({"flattening_enabled": True}, "`flattening_enabled` needs `flattening_max_depth`"),
    ({"stream_maps": {"users": 5}}, "`stream_maps` isn't valid"),
    ({"stream_maps": {"users": {"email": [SECRET]}}}, "`stream_maps` isn't valid"),
    # Endpoints
    *(
        ({"endpoint_url": bad}, "`endpoint_url` isn't valid: set it to an http:// or https:// URL")
        for bad in (
            *(f"https://{TOKEN}@a", f"https://a:{TOKEN}@b/", f"https://a/?{TOKEN}"),
            f"https://a#{TOKEN}",
        )
    ),
    ({"endpoint_url": f"https://[{KEY_ID}"}, "`endpoint_url` isn't a valid URL"),
    ({"endpoint_url": "http://moto:5000"}, "`endpoint_url` is http:// on another host"),
    ({"endpoint_url": "http://127.0.0.1.evil.example"}, "`endpoint_url` is http:// on another"),
    *(
        (
            {**TEMPORARY, name: "env://NAME", "endpoint_url": f"https://{host}"},
            f"`{name}` is a reference but `endpoint_url` isn't AWS's",
        )
        for name, host in (
            ("aws_access_key_id", "cognito.example.com"),
            ("aws_session_token", "ec2-1-2-3-4.compute.amazonaws.com"),
            ("aws_secret_access_key", "cognito-idp.s3.amazonaws.com"),
        )
    ),
    # Credentials
    (
        {"aws_access_key_id": KEY_ID},
        f"`aws_access_key_id` is set but `aws_secret_access_key` or `api_key_id` isn't: {NEITHER}",
    ),
    (
        {"aws_secret_access_key": SECRET},
        f"`aws_secret_access_key` is set but `aws_access_key_id` isn't: {NEITHER}",
    ),
    (
        {"api_key_id": "cognito", **VAULT},
        f"`api_key_id` is set but `aws_access_key_id` isn't: {NEITHER}",
    ),
    (
        {"aws_access_key_id": KEY_ID, "api_key_id": "cognito"},
        f"`api_key_id` is set but `vault_url` isn't: {NEITHER}",
    ),
    (
        {**PAIR, "api_key_id": "cognito", **VAULT},
        "`aws_secret_access_key` and `api_key_id` are both set: leave one of them out",
    ),
    (
        {**PAIR, "aws_profile": "reader"},
        "`aws_access_key_id` and `aws_profile` are both set: leave one of them out",
    ),
    (
        {"aws_session_token": TOKEN},
        f"`aws_session_token` is set but `aws_access_key_id` isn't: {NEITHER}",
    ),
    (
        {"aws_session_token": TOKEN, "aws_profile": "reader"},
        f"`aws_session_token` is set but `aws_access_key_id` isn't: {NEITHER}",
    ),
    (
        {"aws_assume_role_external_id": "x"},
        f"`aws_assume_role_external_id` is set but `aws_assume_role_arn` isn't: {NEITHER}",
    ),
    ({**PAIR, **VAULT}, "`vault_url` is set but not used: set `api_key_id`, or leave it out"),
    (
        {"aws_assume_role_arn": "reader"},
        "`aws_assume_role_arn` isn't valid: set it to a role such as arn:aws:iam::",
    ),
    (
        {**ROLE, "aws_assume_role_session_name": "a b"},
        "`aws_assume_role_session_name` isn't valid: set it to 2 to 64 letters",
    ),
    # Filters
    *(
        ({"user_filter": text}, f"`user_filter`: {fault}")
        for text, fault in (
            ("enabled", "not a valid condition"),
            ('= "a"', "not a valid condition"),
            ('email > "a"', "not a valid condition"),
            ('custom:plan = "a"', "its attribute can't be searched"),
            ('Email = "a"', "its attribute can't be searched"),
            ("email = a", "the value must be one text in double quotes"),
            ("email = 'a'", "the value must be one text in double quotes"),
            ('email = "a', "the value must be one text in double quotes"),
            ('email = "a"b"', "the value must be one text in double quotes"),
            ('email = "a" and name = "b"', "the value must be one text in double quotes"),
            ('email = "a\\"', "the value must be one text in double quotes"),
            ("email =", "the value must be one text in double quotes"),
        )
    ),
]


@pytest.mark.parametrize(("given", "expected"), BROKEN, ids=[repr(given) for given, _ in BROKEN])
def test_settings_that_cannot_work_are_each_named_with_what_to_do(
    given: Mapping[str, Any], expected: str
) -> None:
    """One problem, one line, and no secret in it."""
    (text,) = problems({**POOL, **given})
    assert expected in text
    assert "\n" not in text
    assert not [secret for secret in SECRETS if secret in text]


def test_a_missing_pool_id_is_named_with_an_example() -> None:
    """The message for the one setting without default has an example."""
    (problem,) = problems({})
    assert problem == (
        "`user_pool_id` is missing: set it to the id of a user pool, such as us-east-1_AbCdEf123, "
        "or set `user_pool_ids`"
    )


def test_every_contradiction_is_said_at_once() -> None:
    """All contradictions of the settings are reported in one run."""
    both = {**PAIR, "api_key_id": "x", "aws_profile": "reader", "aws_assume_role_external_id": "x"}
    names = {"attributes_include": ["sub"], "attributes_exclude": ["email"]}
    assert len(problems({**POOL, **both, **names})) == 5


# Through the command line


@pytest.mark.programs
@pytest.mark.parametrize("form", [[], ["--format=markdown"]])
def test_about_says_what_each_setting_means(form: list[str]) -> None:
    """As text and as Markdown: each with its description, and its default if there is one."""
    schema = copy.deepcopy(settings.SCHEMA)
    TapCognito.append_builtin_config(schema)
    shown = " ".join(run_tap({}, "--about", *form).stdout.split())
    for name, setting in schema["properties"].items():
        assert name in shown
        assert " ".join(setting["description"].split()) in shown
        default = setting.get("default", "")
        assert str(default) in shown or json.dumps(default) in shown


@pytest.mark.programs
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"user_pool_id": "us-east-1"}, "`user_pool_id`"),
        ({"aws_secret_access_key": None}, "`aws_access_key_id`"),
        ({"aws_secret_acces_key": SECRET}, "did you mean `aws_secret_access_key`?"),
        ({"api_key_id": "x", **VAULT}, "`aws_secret_access_key` and `api_key_id` are both set"),
        ({"user_pool_id": "local_abc"}, "set `region`"),
        ({"aws_secret_access_key": "env://NOT_SET"}, "`aws_secret_access_key`: the reference env"),
    ],
    ids=repr,
)
def test_a_refused_configuration_is_one_line_and_no_request(
    given: Mapping[str, Any], expected: str, emulator: Emulator
) -> None:
    """Exit status 1, one line on stderr that names the setting, nothing asked of the server."""
    assert expected in refusal(emulator_config(emulator, **{**TEMPORARY, **given}))
    assert not emulator.log.requests


@pytest.mark.programs
def test_without_a_pool_id_the_command_says_so() -> None:
    """The command without a pool ID fails in one line that names the setting."""
    assert "`user_pool_id` is missing" in refusal({})


@pytest.mark.programs
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"user_pool_id": "us-east-1_NotThere"},
            "no user pool us-east-1_NotThere in us-east-1 of this account: check its id, `region`",
        ),
        (
            {"aws_access_key_id": "AKIAUNKNOWN"},
            "check `aws_access_key_id`; temporary keys also need",
        ),
        ({"aws_session_token": None}, "temporary keys also need their `aws_session_token`"),
        ({"aws_secret_access_key": "wrong"}, "check `aws_secret_access_key`, then this machine's"),
    ],
    ids=repr,
)
def test_what_aws_refuses_is_one_line_that_names_the_setting(
    given: Mapping[str, Any], expected: str, emulator: Emulator
) -> None:
    """After one request, which isn't repeated, one line names the setting."""
    assert expected in refusal(emulator_config(emulator, **{**TEMPORARY, **given}))
    assert len(emulator.log.requests) == 1


@pytest.mark.programs
def test_expired_credentials_are_one_line(emulator: Emulator) -> None:
    """The line says that the credentials have expired."""
    emulator.credentials = {KEY_ID: Credential(SECRET, TOKEN, time.time() - 1)}
    line = refusal(emulator_config(emulator, **TEMPORARY))
    assert "the credentials have expired: get new ones and retry" in line


@pytest.mark.programs
def test_a_missing_permission_is_one_line_with_the_policy_that_grants_it(
    emulator: Emulator,
) -> None:
    """The policy is JSON that can be attached as it is."""
    emulator.denied = {"cognito-idp:ListUsers"}
    line = refusal(emulator_config(emulator, **TEMPORARY))
    text, _, policy = line.partition("attach this IAM policy to their user or role: ")
    assert f"may not call cognito-idp:ListUsers on {emulator.pool.id}" in text
    (statement,) = json.loads(policy)["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "cognito-idp:ListUsers",
        "Resource": f"arn:aws:cognito-idp:us-east-1:*:userpool/{emulator.pool.id}",
    }


@pytest.mark.programs
@pytest.mark.parametrize("place", ["localhost:99999", "localhost:port", "local_host.example.com"])
def test_an_endpoint_that_boto3_does_not_take_is_one_line(place: str) -> None:
    """The line names the setting, and what a host and a port may be."""
    line = refusal({**POOL, **TEMPORARY, "endpoint_url": f"https://{place}"})
    assert "`endpoint_url`" in line
    assert "isn't a valid URL" in line


@pytest.mark.parametrize(
    "text",
    ['"jane@example.com" = email', 'jane@example.com = "x"', f'name = "jane {"x" * 256}"'],
)
def test_a_filter_is_not_repeated(text: str) -> None:
    """A message about `user_filter`, which may hold a name or an address, doesn't quote it."""
    (problem,) = problems({**POOL, "user_filter": text})
    assert "user_filter" in problem
    assert "jane" not in problem


@pytest.mark.parametrize(
    "text",
    ["Value 'email = \"jane@example.com\"' at 'filter'", "jane@example.com is", "<html>jane"],
)
@pytest.mark.parametrize("code", ["InvalidParameterException", "OtherException"])
def test_values_in_the_words_of_aws_are_not_repeated(
    code: str, text: str, emulator: Emulator
) -> None:
    """Values quoted by AWS, which may be a user's, aren't in the message."""
    (region,) = TapCognito(config=emulator_config(emulator)).find_pools()
    answer: Any = {"Error": {"Code": code, "Message": f"1 error: {text}"}}
    request = Request("ListUsers", region.client._client, "us-east-1_A")  # noqa: SLF001
    failure = ClientError(answer, "ListUsers")
    error = from_botocore(failure, classify(failure), request)
    assert str(error).startswith("Cognito refused ")
    assert code in str(error)
    assert "1 error:" not in str(error)
    assert "jane" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        ClientError(DOWN, "ListUsers"),
        EndpointConnectionError(endpoint_url=PLANTED_URL),
        ProxyConnectionError(proxy_url=PLANTED_URL, error=f"planted {PLANTED_URL}"),
        HTTPClientError(error="planted"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_outage_is_told_without_its_words_and_the_passwords_of_addresses(
    error: Exception,
) -> None:
    """The message has neither a proxy's answer nor more of an address than host and port."""
    client = boto3.client("cognito-idp", region_name="us-east-1", endpoint_url=PLANTED_URL)
    request = Request("ListUsers", client, "us-east-1_A")
    text = str(from_botocore(error, classify(error), request))
    told = ("retry later", "no answer from https://cognito.example.com:444 (", "of HTTPS_PROXY")
    assert any(words in text for words in told)
    assert "planted" not in text


def test_a_parameter_that_boto3_refuses_is_not_repeated() -> None:
    """A token or domain that boto3's error quotes isn't in the message."""
    client = boto3.client("cognito-idp", "us-east-1")
    with pytest.raises(ParamValidationError, match="jane") as refused:
        client.describe_user_pool_domain(Domain={"jane@example.com": 1})  # type: ignore[arg-type]
    request = Request("DescribeUserPoolDomain", client, "us-east-1_A")
    text = str(from_botocore(refused.value, classify(refused.value), request))
    assert "boto3 refused a parameter of DescribeUserPoolDomain" in text
    assert "jane" not in text


@pytest.mark.programs
def test_an_endpoint_that_does_not_answer_is_one_line() -> None:
    """The line names the endpoint and the settings that may be wrong."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        line = refusal({**POOL, **TEMPORARY, "endpoint_url": url}, IMPATIENT_TAP)
    assert f"no answer from {url} " in line
    assert "check `endpoint_url` and the network" in line
