"""``wsload ab``: a whole experiment, from two builds of a server to runs that can be compared.

Pure: `plan` (which runs, in which order), `experiment` (what is done by now). Shells: `processes`
(children that never outlive us), `handshake`, `server` (the build under test), `worktree` (a build
out of git), `load` (one Locust run), `conduct` (one run after the other), `progress`.
"""
