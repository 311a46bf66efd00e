"""wsload's options, from wherever they come: read into settings, or refused by name in one line."""

from __future__ import annotations

import importlib.util
import os
import re
import ssl
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from locust.argument_parser import get_empty_argument_parser, ui_extra_args_dict
from support.certificates import Certificates

from wsload import WebSocketUser
from wsload.errors import UsageError
from wsload.load.events import install
from wsload.load.options.settings import Settings
from wsload.load.options.table import FORM, OPTIONS, add_options

SECRET = "s3cr3t"

install()  # Locust's parser knows wsload's options from here on


def settings_of(**options: Any) -> Settings:
    return Settings.of(Namespace(**options))


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pyproject.toml with checks of its own is around, and no variable of somebody's."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LOCUST_WS_"):
            monkeypatch.delenv(name)


def parsed(*arguments: str) -> Namespace:
    """What Locust's own parser makes of these arguments."""
    parser = get_empty_argument_parser(add_help=False)
    add_options(parser)
    return parser.parse_args(list(arguments))


def test_nothing_given_is_the_defaults() -> None:
    # An environment may have no options at all; and the parser's defaults mean the same.
    bare, usual = settings_of(), Settings.of(parsed())
    for settings in (bare, usual):
        assert settings.url == ""
        assert settings.subprotocols is None
        assert settings.rate == 0
        assert settings.max_in_flight == 1000
        assert settings.message_timeout_ns == 10_000_000_000
        assert settings.drain_s == 2
        assert settings.open_timeout_s == settings.opening.timeout_s == 10
        assert settings.reconnect
        assert not settings.insecure
        assert not settings.allow_mixed_content
        assert settings.checks == ()
        assert settings.results == Path("results")
        assert settings.opening.headers == ()
        assert settings.opening.origin is None
        assert settings.opening.proxy is None
        assert not settings.opening.compression
        assert settings.opening.max_message_bytes == 1 << 20
        assert settings.opening.source_ips == ()
        assert settings.opening.tls is not None
        assert settings.opening.tls.verify_mode == ssl.CERT_REQUIRED
        assert settings.opening.tls.check_hostname


def test_what_the_command_line_says() -> None:
    settings = Settings.of(
        parsed(
            *("--ws-header", "X-A: 1", "--ws-header", "X-B: 2", "--ws-cookie", "a=1", "--ws-cookie", "b=2"),
            *("--ws-subprotocol", "v2", "--ws-subprotocol", "json", "--ws-rate", "poisson:50"),
            *("--ws-basic", "ada:x", "--ws-origin", "https://page.example", "--no-ws-reconnect"),
            *("--ws-insecure", "--ws-compression", "--ws-max-message", "64KiB", "--ws-build", "v1.2"),
            *("--ws-source-ip", "127.0.0.2", "--ws-source-ip", "::1", "--ws-check", "message.p99 < 50ms"),
        )
    )
    assert settings.opening.headers == (
        ("X-A", "1"),
        ("X-B", "2"),
        ("Cookie", "a=1; b=2"),
        ("Authorization", "Basic YWRhOng="),
    )
    assert settings.subprotocols == ("v2", "json")
    assert (settings.poisson, settings.rate) == (True, 50)
    assert settings.opening.origin == "https://page.example"
    assert not settings.reconnect
    assert settings.insecure
    assert settings.opening.tls is not None
    assert settings.opening.tls.verify_mode == ssl.CERT_NONE
    assert settings.opening.compression
    assert settings.opening.max_message_bytes == 65536
    assert settings.opening.source_ips == ("127.0.0.2", "::1")
    assert settings.build == "v1.2"
    assert len(settings.checks) == 1


def test_every_option_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUST_WS_DRAIN", "3s")
    monkeypatch.setenv("LOCUST_WS_BEARER", SECRET)
    monkeypatch.setenv("LOCUST_WS_HEADER", "X-Key: 1")
    monkeypatch.setenv("LOCUST_WS_RECONNECT", "false")
    monkeypatch.setenv("LOCUST_WS_INSECURE", "true")
    settings = Settings.of(parsed())
    assert settings.drain_s == 3
    assert settings.opening.headers == (("X-Key", "1"), ("Authorization", f"Bearer {SECRET}"))
    assert not settings.reconnect
    assert settings.insecure
    assert Settings.of(parsed("--ws-drain", "4s")).drain_s == 4


def test_what_the_start_form_sends() -> None:
    # Locust's form sends one text for an option that was never given, whatever its kind.
    settings = settings_of(ws_subprotocol="v2, json", ws_check="message.p99 < 50ms, lost < 1", ws_rate="")
    assert settings.subprotocols == ("v2", "json")
    assert len(settings.checks) == 2
    empty = settings_of(ws_subprotocol="", ws_check="", ws_build="", ws_results="", ws_url="", ws_ca_file="")
    assert empty.subprotocols is None
    assert empty.checks == ()
    assert empty.results == Path("results")


def test_the_start_form_hides_what_is_secret() -> None:
    parsed()
    fields = ui_extra_args_dict(["--ws-basic", "ada:x"])
    assert fields["ws_basic"]["is_secret"]
    assert fields["ws_bearer"]["is_secret"]
    assert fields["ws_proxy"]["is_secret"]
    assert [name for name in fields if name.startswith("ws_")] == [
        option[2:].replace("-", "_") for option in FORM
    ]
    assert {option: fields[option[2:].replace("-", "_")]["help_text"] for option in FORM} == FORM
    assert max(map(len, FORM.values())) <= 30
    assert "ws_header" not in fields
    assert "ws_cookie" not in fields


def test_a_mistake_says_what_to_write() -> None:
    for name, value, said in (
        ("ws_rate", "fast", "'fast': must be a number from 0.001 to 1,000,000; write 200 for that many"),
        (
            "ws_rate",
            "fast:5",
            "poisson or constant; write 200 for that many tasks a second, or poisson:",
        ),
        ("ws_ca_file", "nowhere.pem", "'nowhere.pem': No such file or directory"),
        ("ws_max_in_flight", "many", "must be a whole number from 1 to 1,000,000"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            settings_of(**{name: value})


MISTAKES = {
    "ws_url": ["ftp://chat.example", "ws://chat.example/#x", "localhost:8765/chat", "ws://chat.example:0"],
    "ws_subprotocol": [["a b"], ["json", "json"], ["a/b"], "a b"],
    "ws_rate": ["fast", "0", "-1", "nan", "uniform:5", "poisson:", "poisson:0"],
    "ws_max_in_flight": ["0", "1.5", "many", "", "1000001"],
    "ws_message_timeout": ["0", "2h", "soon", ""],
    "ws_drain": ["x", "-1s", "11m", ""],
    "ws_open_timeout": ["0", "never"],
    "ws_ping": ["0", "never", "2d", ""],
    "ws_ping_timeout": ["0", "never", "2d", ""],
    "ws_connect_to": ["chat.example", "chat.example:0", ":80"],
    "ws_header": [["X"], [f"X {SECRET}: 1"], [f"X: {SECRET}\nY: 2"]],
    "ws_cookie": [[SECRET], [f"a={SECRET}; b=2"], [f"a={SECRET}\r\nX: 1"]],
    "ws_basic": [SECRET],
    "ws_bearer": [f"{SECRET}\r\nX: 1", f"{SECRET}é"],
    "ws_origin": ["https://page.example\r\nX: 1"],
    "ws_proxy": [
        *(f"ftp://ada:{SECRET}@proxy.example", SECRET, f"http://{SECRET}@proxy.example:3128"),
        *(
            f"http://ada:{SECRET}@proxy.example/pac",
            f"https://proxy.example/?key={SECRET}",
            "http://proxy:1/#x",
        ),
    ],
    "ws_source_ip": [["localhost"], ["127.0.0.256"]],
    "ws_max_message": ["0", "1MB", "2GiB"],
    "ws_ca_file": ["nowhere.pem", ".", "/dev/null", "a\x00b"],
    "ws_client_cert": ["nowhere.pem", "nowhere.pem,key.pem", "/dev/null"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in MISTAKES.items() for value in values]
)
def test_a_mistake_is_named_in_one_line(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as raised:
        settings_of(**{name: value})
    said = str(raised.value)
    assert said.startswith(f"argument --{name.replace('_', '-')}: ")
    assert "\n" not in said
    assert "::" not in said
    assert SECRET not in said


@given(
    st.sampled_from([name for name in MISTAKES if name != "ws_ca_file"]), st.text(max_size=15), st.booleans()
)
def test_whatever_is_given_is_read_or_refused(name: str, text: str, listed: bool) -> None:
    repeatable = isinstance(MISTAKES[name][0], list)
    said = ""
    try:
        assert settings_of(**{name: [text] if repeatable and listed else text})
    except UsageError as error:
        said = str(error)
    assert "\n" not in said


@given(
    st.sampled_from(["ws_url", "ws_proxy", "ws_origin", "ws_connect_to", "host"]),
    st.sampled_from(["ws", "wss", "http", "ftp", "socks5", ""]),
    st.sampled_from(
        ["ada:{}@", "ada:x/{}@", "ada:x?{}@", "ada:x#{}@", "{}@", "ada:{}/x@", "ada:{}?x@", "[{}@"]
    ),
    st.sampled_from(["chat.example", "[::1", "chat.example:0", "chat.example:99999", "", "[x]", "a\u2100b"]),
    st.sampled_from(["", "/", "/a room", "/?token={}", "/?token={}#x", "/#{}", "\\", "\nX: 1"]),
)
@example("ws_url", "wss", "", "chat.example", "/?token={}#x")
@example("host", "wss", "ada:{}/x@", "chat.example", "")
@example("ws_proxy", "http", "ada:{}?x@", "proxy:3128", "")
def test_no_mistake_in_a_url_shows_its_secrets(
    option: str, scheme: str, user: str, host: str, path: str
) -> None:
    text = (f"{scheme}://" if scheme else "") + f"{user}{host}{path}".replace("{}", SECRET)
    said = ""
    try:
        if option == "host":
            settings_of().target("/", text)
        else:
            settings_of(**{option: text}).target("", "ws://chat.example")
    except UsageError as error:
        said = str(error)
    assert SECRET not in said, text


def test_a_check_that_can_not_be_read_is_pointed_at() -> None:
    with pytest.raises(UsageError) as raised:
        settings_of(ws_check=["message.p99 << 50ms"])
    first, *rest = str(raised.value).split("\n")
    assert first == "argument --ws-check:"
    assert "message.p99 << 50ms" in rest[0]
    assert any("^" in line for line in rest)


def test_a_check_on_a_part_that_its_metric_does_not_have_is_refused_before_the_run() -> None:
    with pytest.raises(UsageError, match=r"--ws-check:\s+.*open has no 'lost': use p50, .*rate, failed"):
        settings_of(ws_check=["open.lost < 1"])
    with pytest.raises(UsageError, match=r"--ws-abort-on:\s+.*ping has no 'failed'"):
        settings_of(ws_abort_on=["ping.failed > 1 for 5s"])
    assert len(settings_of(ws_check=["buy.lost < 1", "login.lost < 1", "open.failed < 1"]).checks) == 3


def test_pings_are_turned_off() -> None:
    opening = settings_of(ws_ping="off", ws_ping_timeout="OFF").opening
    assert (opening.ping_interval_s, opening.ping_timeout_s) == (None, None)
    assert (settings_of().opening.ping_interval_s, settings_of(ws_ping="500ms").opening.ping_interval_s) == (
        20,
        0.5,
    )


@pytest.mark.parametrize("option", ["ws_proxy", "ws_connect_to"])
def test_the_probe_goes_the_plain_way_only(option: str) -> None:
    given = {"ws_proxy": "http://127.0.0.1:3128", "ws_connect_to": "127.0.0.1:80"}[option]
    with pytest.raises(UsageError, match="--ws-probe"):
        settings_of(ws_probe=True, **{option: given})


def test_authorities_of_a_file_are_verified_alike_with_every_python(certificates: Certificates) -> None:
    tls = settings_of(ws_ca_file=str(certificates.authority)).opening.tls
    assert tls is not None and not tls.verify_flags & ssl.VERIFY_X509_STRICT
    assert tls.verify_mode is ssl.CERT_REQUIRED and tls.check_hostname
    system, usual = settings_of().opening.tls, ssl.create_default_context()
    assert system is not None and system.verify_flags == usual.verify_flags


def test_a_proxy_that_needs_a_package_says_so() -> None:
    if importlib.util.find_spec("python_socks") is None:
        with pytest.raises(UsageError, match="pip install python-socks"):
            settings_of(ws_proxy="socks5h://127.0.0.1:1080")
    else:
        assert settings_of(ws_proxy="socks5h://127.0.0.1:1080").opening.proxy


def test_a_source_address_and_a_proxy_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--ws-source-ip"):
        settings_of(ws_source_ip=["127.0.0.2"], ws_proxy="http://127.0.0.1:3128")


def test_certificates(certificates: Certificates, tmp_path: Path) -> None:
    trusting = settings_of(ws_ca_file=str(certificates.authority))
    assert trusting.opening.tls is not None
    assert [each["subject"] for each in trusting.opening.tls.get_ca_certs()] == [
        ((("commonName", "wsload's test authority"),),)
    ]
    assert (
        settings_of(ws_client_cert=f"{certificates.certificate},{certificates.key}").opening.tls is not None
    )
    both = tmp_path / "both.pem"
    both.write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
    assert settings_of(ws_client_cert=str(both)).opening.tls is not None
    with pytest.raises(UsageError, match="argument --ws-client-cert: "):
        settings_of(ws_client_cert=f"{certificates.authority},{certificates.key}")  # another's key


def test_an_encrypted_key_is_refused_and_no_password_asked_for(
    certificates: Certificates, tmp_path: Path
) -> None:
    locked = certificates.locked_key(tmp_path / "locked.key", b"open sesame")
    with pytest.raises(UsageError, match=r"argument --ws-client-cert: .*encrypted"):
        settings_of(ws_client_cert=f"{certificates.certificate},{locked}")


def test_the_target_is_the_option_s_or_the_class_s() -> None:
    assert (
        settings_of().target(WebSocketUser.url, "ws://chat.example/room?x=1") == "ws://chat.example/room?x=1"
    )
    assert settings_of().target("/room", "ws://chat.example") == "ws://chat.example/room"
    assert settings_of(ws_url="/other").target("/room", "ws://chat.example") == "ws://chat.example/other"
    assert settings_of(ws_url="wss://x.example").target("/room", "ws://chat.example") == "wss://x.example/"
    with pytest.raises(UsageError, match="names no host"):
        settings_of().target("/room", None)


def test_mixed_content_is_refused_unless_allowed() -> None:
    origin = "https://page.example"
    with pytest.raises(UsageError, match="SecurityError"):
        settings_of(ws_origin=origin).target("ws://chat.example/", None)
    allowed = settings_of(ws_origin=origin, ws_allow_mixed_content=True)
    assert allowed.target("ws://chat.example/", None) == "ws://chat.example/"


def test_secrets_are_not_in_what_settings_look_like() -> None:
    settings = settings_of(
        ws_header=[f"X: {SECRET}"],
        ws_cookie=[f"a={SECRET}"],
        ws_basic=f"ada:{SECRET}",
        ws_bearer=SECRET,
        ws_proxy=f"http://ada:{SECRET}@proxy.example",
    )
    assert SECRET not in repr(settings)


def test_the_table_of_options_is_whole() -> None:
    names = [name for name, _ in OPTIONS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("--ws-") for name in names)
    assert all(settings["help"].endswith((".", ")")) for _, settings in OPTIONS)
