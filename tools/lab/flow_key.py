# SPDX-License-Identifier: Apache-2.0
"""The key that joins captures, logs and flow records."""


def key_of(transport, one, other):
    """The same for both directions. Ends are [address, port]; a protocol without ports has 0."""
    return transport, *sorted((tuple(one), tuple(other)))
