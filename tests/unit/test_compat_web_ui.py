"""Canaries: what wsload needs of Locust's web UI beyond its documentation is still there, and does that."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import locust
import pytest
from canary import needed
from locust import LoadTestShape, User, argument_parser
from locust.env import Environment

import wsload
from wsload.load.watch import web_ui_compat as compat


class Someone(User):
    abstract = True


class Other(Someone):
    abstract = True


class Shape(LoadTestShape):
    use_common_options = True

    def tick(self) -> None:
        return None


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    monkeypatch.setattr(sys, "argv", ["locust"])
    environment = Environment(
        user_classes=[Someone],
        parsed_options=argument_parser.get_parser().parse_args([]),
        available_user_classes={"Someone": Someone, "Other": Other},
        available_shape_classes={"Shape": Shape()},
    )
    environment.create_local_runner()
    environment.create_web_ui("127.0.0.1", 8089, delayed_start=True, userclass_picker_is_active=True)
    yield environment
    assert environment.runner is not None
    environment.runner.quit()


def methods(environment: Environment, path: str) -> set[str]:
    (rule,) = (rule for rule in environment.web_ui.app.url_map.iter_rules() if rule.rule == path)  # type: ignore[union-attr]
    return rule.methods or set()


def test_the_paths_are_those_of_the_page_its_figures_and_its_forms(environment: Environment) -> None:
    with needed("locust", "the paths of its web UI", "to check what is posted, and to show how a run ends"):
        for path in (compat.START_PAGE, compat.FIGURES):
            assert "GET" in methods(environment, path)
        for path in (compat.SWARM, compat.USER):
            assert "POST" in methods(environment, path)


@pytest.mark.parametrize("state", [compat.RUNNING, *compat.ENDING])
def test_the_page_and_its_figures_tell_the_state(environment: Environment, state: str) -> None:
    with needed("locust", "the state in its web UI", "so that the page goes on until the run has ended"):
        environment.runner.state = state  # type: ignore[union-attr]
        client = environment.web_ui.app.test_client()  # type: ignore[union-attr]
        assert client.get(compat.FIGURES).get_json()[compat.STATE] == state
        assert re.search(rf'"{compat.STATE}": ?"{state}"', client.get(compat.START_PAGE).text)
        environment.runner.state = "ready"  # type: ignore[union-attr]


@pytest.mark.parametrize("names", [["Other"], ["Someone"], ["Someone", "Other"], []])
def test_a_run_has_the_classes_that_were_chosen(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    with needed("locust", "the picker of user classes", "to check the classes that a run will have"):
        web_ui: Any = environment.web_ui
        monkeypatch.setattr(environment.runner, "start", lambda *_: None)
        chosen = compat.chosen_classes(web_ui, names)
        posted = {"user_count": "1", "spawn_rate": "1", "user_classes": names}
        web_ui.app.test_client().post(compat.SWARM, data=posted)
        assert chosen == environment.user_classes


def test_the_form_has_these_fields(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with needed("locust", "the fields of its start form", "to take only what the start form has"):
        orders: list[tuple[int, float]] = []
        runner: Any = environment.runner
        monkeypatch.setattr(runner, "start", lambda *order: orders.append(order))
        client = environment.web_ui.app.test_client()  # type: ignore[union-attr]
        posted = {
            "user_count": "3",
            "spawn_rate": "2",
            "host": "ws://127.0.0.1:9",
            "run_time": "1h",
            "user_classes": "Other",
            "shape_class": "Default",
            "profile": "evening",
        }
        assert posted.keys() == compat.OWN_FIELDS
        answer = client.post(compat.SWARM, data=posted).get_json()
        gevent.sleep(0.01)
        assert answer["success"] and answer["run_time"] == 3600 and orders == [(3, 2)]
        assert environment.user_classes == [Other] and environment.host == "ws://127.0.0.1:9"
        assert environment.profile == "evening" and environment.shape_class is None
        client.post(compat.SWARM, data={**posted, "shape_class": "Shape"})
        assert isinstance(environment.shape_class, Shape)


def test_the_options_that_the_form_has_are_known(environment: Environment) -> None:
    assert wsload.ChatUser is not None  # its import adds wsload's options
    with needed("locust", "argument_parser.ui_extra_args_dict", "to take only what the start form has"):
        found = compat.fields_in_the_form()
        assert {"ws_build", "ws_bearer", *compat.OWN_FIELDS} <= found
        assert not {"ws_results", "ws_header", "html_file"} & found


def test_the_page_is_told_of_a_tab_and_downloads(environment: Environment) -> None:
    with needed("locust", "WebUI.template_args", "to show the live page in a tab"):
        web_ui: Any = environment.web_ui
        compat.add_element_tab(web_ui, "Live", "live", "my-element")
        compat.add_downloads(web_ui, {"/live": "A page"})
        text = web_ui.app.test_client().get(compat.START_PAGE).text
        found = json.loads(re.search(r"window.templateArgs = (.*)", text)[1])  # type: ignore[index]
        assert found["extended_tabs"] == [{"title": "Live", "key": "live", "component": "my-element"}]
        assert found["extended_csv_files"] == [{"href": "/live", "title": "A page"}]
    with needed("locust", "a tab's component in its web UI", "to show the live page in a tab"):
        (script,) = (Path(locust.__file__).parent / "webui" / "dist" / "assets").glob("*.js")
        # Every tab, the extended ones among them, is rendered as its component, and as a table without one.
        assert re.search(r"\.map\(\(\{component:\w+=\w+\},", script.read_text("utf-8"))


def test_a_web_ui_says_where_it_listens_and_whether(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with needed("locust", "WebUI.host, .port and .greenlet", "to say that a port is in use"):
        web_ui: Any = environment.web_ui
        assert compat.address_of(web_ui) == ("127.0.0.1", 8089) and not compat.is_serving(web_ui)
        monkeypatch.setattr(web_ui, "start_server", lambda: None)
        web_ui.start()
        assert compat.is_serving(web_ui)


@pytest.mark.parametrize("earlier", [None, [], [{"title": "Theirs", "key": "theirs", "href": "/theirs"}]])
def test_what_another_plugin_has_added_to_the_page_stays(environment: Environment, earlier: Any) -> None:
    web_ui: Any = environment.web_ui
    for name in ("extended_tabs", "extended_csv_files"):
        web_ui.template_args[name] = earlier
    compat.add_element_tab(web_ui, "Ours", "ours", "ours-page")
    compat.add_downloads(web_ui, {"/ours": "Ours"})
    for name in ("extended_tabs", "extended_csv_files"):
        *first, last = web_ui.template_args[name]
        assert first == (earlier or []) and last["title"] == "Ours"
