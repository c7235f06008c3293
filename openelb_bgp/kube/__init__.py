"""A Kubernetes cluster: the client of its API, the Source over its objects, and who leads.

`errors`, `resources`, `access`, `client` know HTTP and the API's conventions and nothing of this project's
objects; `reflector` and `source` turn watches into deliveries; `lease` elects the leading controller.
"""
