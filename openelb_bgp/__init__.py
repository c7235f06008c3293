"""openelb-bgp: LoadBalancer Services for Kubernetes clusters without a cloud."""

from openelb_bgp._version import __version__ as __version__
