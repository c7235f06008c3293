"""What runs inside the lab's containers, made of a topology's nodes by docker compose or containerlab.

Each process is one node's part and knows its own network only; what runs on the machine that has the
containers is not here.
"""
