"""What a process has in its memory."""

PIECE = 4 << 20


def count(pid, needles):
    """How often each of these is there, in all that can be read."""
    found = dict.fromkeys(needles, 0)
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            addresses, permissions, *_ = line.split()
            if "r" not in permissions:
                continue
            start, end = (int(address, 16) for address in addresses.split("-"))
            try:
                memory.seek(start)
                _search(memory, end - start, found)
            except OSError:
                # The kernel's own pages can be read by the process alone.
                assert "[vvar" in line, line
    return found


def _search(memory, size, found):
    keep = max(map(len, found)) - 1
    nothing, tail = bytes(PIECE), b""
    while size > 0:
        piece = memory.read(min(size, PIECE))
        if not piece:
            return
        size -= len(piece)
        # An instance of wasm reserves far more memory than it uses.
        if piece == nothing and not any(tail):
            tail = nothing[:keep]
            continue
        window = tail + piece
        for needle in found:
            # What lies within the tail was counted with the piece before.
            found[needle] += window.count(needle) - tail.count(needle)
        tail = window[-keep:]
