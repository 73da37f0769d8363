"""Mutations: the core broken on purpose, to see the tests fall.

    python -m tests.mutations                      every deliberate mutation
    python -m tests.mutations --only mvcc/version  those whose name begins so
    python -m tests.mutations --list               what there is, nothing run
    python -m tests.mutations --random 50 --seed 7 generic ones, drawn by a seed

A *mutation* is a piece of text in one file and the text put in its place. It is
made in a copy of the tree, in a temporary directory; the working tree is only
read. The copy then runs the tests that should notice, up to the first that fails:
the mutation is *caught* by that one. A run that does not end is caught, too.
Where all tests pass it *survived*: a test is missing. Before all others the same
tests run on a copy that nothing was done to, so that no failure of another cause
passes for a catch.

The deliberate ones (`table/`) break what etcd's users rely on, a rule each, and
every one must be caught. The generic ones (`generic.py`) are drawn from all
comparisons, numbers, conditions and statements of the core. Some of them change
nothing that anybody could see, so a person reads those that survived.

mutmut 3.8 and cosmic-ray 8.7 were looked at for the generic part, and left.
cosmic-ray writes each mutation into the working tree and takes it back afterwards,
which a killed run does not; it has one test command for all modules. mutmut copies
the tree, but puts a trampoline in the place of every function, and the tests of
this house look at frames (whose memory grows) and at slots. Neither draws
by a seed: both go through everything, here 3,000 mutations of some seconds
each. What is left to do by hand are the 170 lines of `generic.py`.
"""
