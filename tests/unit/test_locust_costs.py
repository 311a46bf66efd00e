from __future__ import annotations

from locust import argument_parser

import wsload


def test_locust_finds_out_its_defaults_once_and_finds_the_same() -> None:
    assert wsload.ChatUser is not None  # its import installs wsload
    once = argument_parser.default_args_dict()
    assert argument_parser.default_args_dict() is once
    assert argument_parser.default_args_dict.__wrapped__() == once
    assert "expect_workers" in once and "ws_url" not in once
