"""A real control plane for tests: started on demand, steered, and ended with the test process.

What a test does to a cluster is in `lab.cluster`: `Api` for objects, `kubelet` for Nodes, Pods and tokens.
What is only for tests lives here: `control_plane` (start, kill, pause, compact, restore), `faulty_proxy`, and
cleaning up. Fixtures are in `tests/kube/conftest.py`.
"""
