"""The protocol's own code under a seeded schedule of faults, in virtual time; see `simulator.schedule` for the faults.

    python -m simulator --seeds 1000          runs the seeds 0 to 999
    python -m simulator --seed 17             runs one, and prints what happened

| module      | what it is                                                                        |
|-------------|-----------------------------------------------------------------------------------|
| `hashes`    | a store's keys and commands, with Redis' replies and errors                       |
| `bitfield`  | those of them that change slots                                                   |
| `scripts`   | the Lua scripts, run against such a store                                         |
| `ledger`    | what was recorded, in amounts that tell how often each record was counted         |
| `stored`    | what a store holds of each family, packed or not                                  |
| `blocks`    | packed layouts, and what must fit together in them                                |
| `world`     | stores, their histories, the network between, and the faults of both              |
| `door`      | the redis client, as `Store` and `Reader` use it                                  |
| `replica`   | a process that records                                                            |
| `cells`     | what it records into                                                              |
| `exporter`  | a process that reads                                                              |
| `checks`    | the invariants                                                                    |
| `numbers`   | those of a store's numbers                                                        |
| `schedule`  | schedules: drawn from a seed, printed, shortened                                  |
| `simulation`| a schedule at work                                                                |
| `mutations` | clauses of the protocol, each of which can be taken out                           |
"""
