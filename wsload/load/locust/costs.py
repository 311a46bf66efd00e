"""What Locust does again and again where once is enough, at the expense of what is being measured."""

from __future__ import annotations

import functools

from locust import argument_parser


def spare_argument_parsers() -> None:
    """Has Locust find out its options' defaults once.

    A worker makes a parser of all options, for each of some hundred options anew, whenever the master
    tells it how many users to have: 0.3 s, once a second during a ramp, in which the users' loop got
    half of the interpreter. Seen in Locust 2.47 (``WorkerRunner.handle_message``); the defaults are
    those before a locustfile adds to them, so they do not change.
    """
    if find_out := getattr(argument_parser, "default_args_dict", None):
        argument_parser.default_args_dict = functools.cache(find_out)
