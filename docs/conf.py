"""The documentation: Sphinx with Markdown (MyST) and the Furo theme.

websockets, Locust and Trio are documented with Sphinx too: it makes the reference from the docstrings, resolves
links between pages and code, fails on a broken one, and needs no network.
"""

import sys
from importlib.metadata import version as _version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "wsload"
author = "the wsload developers"
release = _version("wsload")
extensions = ["myst_parser", "sphinx.ext.autodoc", "generated"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_static"]
nitpicky = False
smartquotes = False  # they turn --host into a dash
html_theme = "furo"
html_show_copyright = False
html_title = "wsload"
pygments_dark_style = "github-dark"  # the default underlines names, as if they were links
html_static_path = ["_static"]
html_css_files = ["wsload.css"]
html_use_index = False
html_domain_indices = False
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
