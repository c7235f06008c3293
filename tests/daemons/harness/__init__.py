"""Real daemons for tests: namespaces wired to one LAN, gobgpd in nodes, FRR in routers, the kernel watched.

Nothing here touches the host's own interfaces or routes. Names carry the test process's pid: what a crashed
run left behind is swept by the next one. Import the modules; fixtures are in `tests/daemons/conftest.py`.
"""
