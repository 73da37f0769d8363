"""What the Go etcd would hold: a model over counts alone.

    Counts ──► live heap per component ──► live heap ──► heap in use ──► RSS
               size classes, slices        sum            GC, spans       mapped pages,
               and maps of Go                                            freed heap kept

Counts mean the same in both languages; Python's bytes do not and are no input.
Every figure is a `Band`: low, likely, high.
"""
