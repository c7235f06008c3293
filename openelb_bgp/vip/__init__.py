"""The mode vip: addresses held by VRRP masters, which keepalived elects; this plugin configures it."""
