"""Of an address only what can be no secret is shown."""

from __future__ import annotations

import pytest

from tap_cognito.urls import is_cognito, is_loopback, is_private, origin

NOT_SHOWN = "an invalid URL"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://cognito-idp.us-east-1.amazonaws.com", None),
        ("http://localhost:5000", None),
        ("http://[::1]:5000", None),
        ("https://a.example/planted/path", "https://a.example"),
        ("https://a.example:443/?planted#planted", "https://a.example:443"),
        ("https://planted:planted@a.example:1/", "https://a.example:1"),
        ("socks5://planted:pla@nted@a.example:1", "socks5://a.example:1"),
        # What is a password here, and what a host?
        ("https://planted:pla/nted@a.example", NOT_SHOWN),
        ("https://planted:1/nted@a.example", NOT_SHOWN),
        ("https://planted:pla?nted@a.example", NOT_SHOWN),
        ("https://planted:pla#nted@a.example", NOT_SHOWN),
        ("https://a.example:planted", NOT_SHOWN),
        ("https://[planted", NOT_SHOWN),
        ("https://\x1b[31mplanted\u202e", NOT_SHOWN),
        ("planted", NOT_SHOWN),
        ("", NOT_SHOWN),
    ],
)
def test_scheme_host_and_port_are_shown(url: str, shown: str | None) -> None:
    """User, password, path and query aren't; nothing is where these can't be separated."""
    assert origin(url) == (shown or url)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("pool.localhost:1", False),  # glibc asks DNS for it
        ("127.0.0.1", True),
        ("127.1.2.3:1", True),
        ("[::1]:1", True),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("moto", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine(host: str, expected: bool) -> None:
    """Only what can't lead anywhere else; HTTPS is private wherever it leads."""
    assert is_loopback(f"http://{host}/") == expected
    assert is_private(f"http://{host}/") == expected
    assert is_private(f"https://{host}/")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("cognito-idp.us-east-1.amazonaws.com", True),
        ("cognito-idp-fips.us-gov-west-1.amazonaws.com", True),
        ("cognito-idp.cn-north-1.amazonaws.com.cn", True),
        ("cognito-idp.us-east-1.api.aws", True),
        ("cognito-idp.eusc-de-east-1.amazonaws.eu", True),
        ("vpce-1a-2b.cognito-idp.us-east-1.vpce.amazonaws.com", True),
        ("ec2-1-2-3-4.compute.amazonaws.com", False),
        ("x.execute-api.us-east-1.amazonaws.com", False),
        ("cognito-idp.us-east-1.amazonaws.com.example.com", False),
        ("cognito-idp.example.com", False),
        ("cognito-idp.s3.amazonaws.com", False),
        ("cognito-idp.us-east-1.s3.amazonaws.com", False),
        ("mine.cognito-idp.us-east-1.amazonaws.com", False),
        ("vpce-1.cognito-idp.us-east-1.amazonaws.com", False),
    ],
)
def test_only_its_own_names_are_cognito(host: str, expected: bool) -> None:
    """Only Cognito's own hosts below amazonaws.com count, where others may have theirs."""
    assert is_cognito(f"https://{host}/") == expected


@pytest.mark.parametrize(
    "url",
    ["http://10.1.2.3:3128\\@127.0.0.1", "http://10.1.2.3\\.localhost@localhost", "http://[::1"],
)
def test_an_address_that_programs_read_differently_is_nobodys(url: str) -> None:
    """The library urllib reads 127.0.0.1 where urllib3, which connects, reads 10.1.2.3."""
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        is_loopback(url)
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        is_cognito(url)
