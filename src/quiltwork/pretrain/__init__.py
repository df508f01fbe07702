"""One model, trained by machines that join and leave over slow links (after Psyche, DisTrO and DeMo).

A *run* is a log. Who has the run's key opens it; members join it, train *units* of data, and publish compressed updates; all
of them apply the same updates in the same order and so hold the same model, whose hash is in the log every round.

    entries.py     what can be said: Created, Joined, Ready, Committed, Attested, Hashed, Checkpointed, ...
    state.py       entry -> state: who is a member, whose turn it is, what was accepted, owed and found   (fold)
    effects.py     state + what this node holds -> what it should do next: fetch, train, apply, say, audit  (pure)
    node.py        one member without its hands: is fed entries and results, gives effects               (pure)
    loop.py        the hands: log, exchange and trainer of a real process                                 (effects)
    simulator/     other hands: a virtual clock, links, crashes and liars, around the same node

One round, r:

    RoundTrain     members train the units that they were assigned and say Committed(units, payload, state root)
    RoundWitness   commitments are closed; the witnesses fetch every payload and say Attested(bitmap, reveal)
    (close)        what two thirds of the witnesses hold is accepted; units that were not go to others in the next round;
                   the reveals make the seed from which the next committee and the audits are drawn
    apply          every member applies the accepted payloads in the order of their commitments and says Hashed(model)

What a member sends is made by an optimizer (`optimizers/`: AdamW, DeMo, DisTrO, DeMo-exact, DiLoCo, SparseLoCo behind one
interface) for an architecture (`architectures/`, or the user's own) on data (`data/`); `trainer.py` holds the three together.
The fold knows nothing of torch: to it a payload is a hash, and a model is a hash.
"""
