"""`make stack-check`: deploy/compose.yaml without a container engine, its services as processes of this machine.

Each service runs with the image's entry point, its exact command, environment, files, secrets, user, read-only root and
networks; what an image would bring is a program of this machine (`images.py`). Needs root, `ip` and `bwrap`, and does
everything in network and mount namespaces of its own, which end with it.
"""
