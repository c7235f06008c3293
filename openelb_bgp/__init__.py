"""openelb-bgp: LoadBalancer Services for Kubernetes clusters without a cloud."""

__version__ = "0.1.0"
