"""The formats of numbers against each other: what is recorded twice, as fields and packed, is shown alike.

| module      | what it is                                                                                    |
|-------------|-----------------------------------------------------------------------------------------------|
| `plan`      | what a fleet does: its families, who records what, when it is handed over, removed and read   |
| `drawing`   | plans, drawn from a seed                                                                      |
| `recorder`  | a replica that does its part of a plan, by the methods that an application calls              |
| `sums`      | what was recorded, added up exactly                                                           |
| `twins`     | a plan done in namespaces that differ in the format only, and what each exposition says       |
| `agreement` | two expositions held against each other, line by line, and a namespace against the sums       |
| `shorter`   | a plan that goes wrong, with nothing that does not matter                                     |
| `run`       | plans of one seed, up to the first that goes wrong                                            |
"""
