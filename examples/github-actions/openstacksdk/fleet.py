"""Keeps a fleet of servers at a size: the program that is tested here."""

from openstack.connection import Connection


def members(cloud: Connection, name: str) -> list:
    """The servers of the fleet, in the order of their numbers."""
    servers = [server for server in cloud.compute.servers() if server.name.startswith(f"{name}-")]
    return sorted(servers, key=lambda server: int(server.name.rsplit("-", 1)[1]))


def resize(cloud: Connection, name: str, size: int) -> None:
    """Adds servers one after another, or removes the last ones. A server that cannot be built is removed, and the error is raised."""
    servers = members(cloud, name)
    for server in servers[size:]:
        cloud.compute.delete_server(server)
        cloud.compute.wait_for_delete(server, interval=0.2)
    for number in range(len(servers), size):
        add(cloud, f"{name}-{number}")


def add(cloud: Connection, name: str) -> None:
    server = cloud.compute.create_server(
        name=name,
        image_id=cloud.image.find_image("tiny", ignore_missing=False).id,
        flavor_id=cloud.compute.find_flavor("m1.nano", ignore_missing=False).id,
        networks=[{"uuid": cloud.network.find_network("private", ignore_missing=False).id}],
    )
    try:
        cloud.compute.wait_for_server(server, interval=0.2)
    except Exception:
        cloud.compute.delete_server(server)
        cloud.compute.wait_for_delete(server, interval=0.2)
        raise
