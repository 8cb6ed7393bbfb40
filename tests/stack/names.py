"""The name server of one host: answers for the names of a table, as the engine's does at 127.0.0.11."""

import json
import socket
import struct
import sys

ADDRESS = ("127.0.0.11", 53)
SECONDS = 5
_A = 1
_NO_SUCH_NAME = 3


def answer(query: bytes, table: dict[str, list[str]]) -> bytes:
    """The reply to one question: its addresses, nothing for other types, or that there is no such name."""
    name, end = [], 12
    while (length := query[end]) != 0:
        name.append(query[end + 1 : end + 1 + length].decode())
        end += 1 + length
    (kind,) = struct.unpack("!H", query[end + 1 : end + 3])
    known = table.get(".".join(name).lower())
    addresses = known if known is not None and kind == _A else []
    flags = 0x8580 | (0 if known is not None else _NO_SUCH_NAME)
    head = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
    records = b"".join(
        struct.pack("!HHHIH", 0xC00C, _A, 1, SECONDS, 4) + socket.inet_aton(address) for address in addresses
    )
    return head + query[12 : end + 5] + records


def main() -> None:
    """Answer until ended."""
    table = json.loads(sys.argv[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(ADDRESS)
        while True:
            query, client = server.recvfrom(4096)
            server.sendto(answer(query, table), client)


if __name__ == "__main__":
    main()
