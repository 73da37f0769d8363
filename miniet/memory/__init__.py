"""Measuring: whose memory grows, read three ways and never mixed.

    capture ──► counts        what each component holds, from its `statistics()`
        │  ───► traced        what Python pays for it, from tracemalloc
        │  ───► process       what the system gave: resident, mapped, peak
        └─────► accounts      the three joined up, and the remainder

**Counts** (`Counts`) are exact and always on. They mean the same in Python and in Go,
so the Go prediction is computed from them alone.

**Traced bytes** (`Traced`) are booked to a component by the frame that allocated
them: what a component keeps alive, its own package allocates. `attribution.py` has
the rule and the list of its exceptions. Tracing is off until asked for: it makes
puts 8 to 10 times slower and costs 60 bytes and more per block, which it states.

**The process** (`ProcessMemory`) is what the operator sees. What the other two do
not name is the remainder, with its size: it is never hidden in another row.

Words: *payload* is what clients sent that is still kept; *booked*: what tracemalloc
attributes; *resident*: pages in RAM; *mapped*: resident pages of the backend's file;
*baseline*: before the first request; *peak*, *growth*: over a timeline; *remainder*:
the process less everything named.

A component is read by its name and by the fields of its statistics; nothing here
imports one.
"""
