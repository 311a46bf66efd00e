"""The truth matrix: user classes × workloads × server behaviours, judged by the server's account.

``server`` misbehaves as it is told and keeps its account, ``locustfile`` holds the user classes, ``trial``
runs one behaviour against all of them, ``judging`` compares, and ``table`` writes the result down.
"""
