"""The protocol's own code under a seeded schedule of faults, in virtual time; see `simulator.schedule` for the faults.

    python -m simulator --seeds 1000          runs the seeds 0 to 999
    python -m simulator --seed 17             runs one, and prints what happened

| module      | what it is                                                                        |
|-------------|-----------------------------------------------------------------------------------|
| `hashes`    | a store's hashes and commands, with Redis' replies and errors                     |
| `scripts`   | the Lua scripts, run against such a store                                         |
| `ledger`    | what was recorded, in amounts that tell how often each record was counted         |
| `world`     | stores, their histories, the network between, and the faults of both              |
| `door`      | the redis client, as `Store` and `Reader` use it                                  |
| `replica`   | a process that records                                                            |
| `exporter`  | a process that reads                                                              |
| `checks`    | the invariants                                                                    |
| `schedule`  | schedules: drawn from a seed, printed, shortened                                  |
| `simulation`| a schedule at work                                                                |
| `mutations` | clauses of the protocol, each of which can be taken out                           |
"""
