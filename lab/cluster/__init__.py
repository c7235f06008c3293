"""A real Kubernetes control plane, for the lab's cluster mode and for the tests: etcd, kube-apiserver,
kube-controller-manager.

What is common to both lives here: programs, command lines, keys, an API client, and what a kubelet would do.
Who starts the processes, and ends them, is the caller: the lab detached and recorded, the tests as children.
"""
