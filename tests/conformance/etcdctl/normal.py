"""What differs between two runs of the same server, made the same."""

import re

# A script grants its leases for 5000 s; what is left of one says how slow the
# machine is.
_REMAINING_S = r"49\d\d"

_REPLACEMENTS = [
    (re.compile(pattern, re.MULTILINE), text)
    for pattern, text in (
        # Of the client's log about a call that failed: the call's code and text.
        (
            r'^\{"level":"warn",.*"attempt":(\d+),"error":"(.*)"\}$',
            r"attempt \1: \2",
        ),
        (r'"ts":("[^"]*"|[\d.]+)', '"ts":TIME'),
        (r"\b3\.4\.\d+", "3.4.x"),  # which 3.4 it is
        (r'(took = |"took":"?|"Took" : )[\d.]+[µmn]?s?', r"\1TIME"),
        (r"[\d.]+[µmn]s( \|)", r"TIME\1"),
        (rf"\b{_REMAINING_S}(?!\d)", "4999"),
        (r'"(raftIndex|raftAppliedIndex)":\d+', r'"\1":INDEX'),
        (r'"(RaftIndex|RaftAppliedIndex)" : \d+', r'"\1" : INDEX'),
        (r"((?:true|false), \d+), \d+, \d+,", r"\1, INDEX, INDEX,"),
        (r"((?:true|false) \| *\d+) \| *\d+ \| *\d+ \|", r"\1 | INDEX | INDEX |"),
        (r'"(dbSize|dbSizeInUse|totalSize)":\d+', r'"\1":SIZE'),
        (r'"(DBSize|Size)" : \d+', r'"\1" : SIZE'),
        (r"\d+(\.\d+)? [kM]?B\b", "SIZE"),
        # The id of a new member is made from the time, and members come sorted by id.
        (r"(Member ) *[0-9a-f]+( added)", r"\1NEW\2"),
        (r'(ETCD_INITIAL_CLUSTER)=".*"', r"\1=MEMBERS"),
        # The client's locks and elections have leases of their own.
        (r"/[0-9a-f]{16}$", "/LEASE"),
        (r"/[0-9a-f]{16} ", "/LEASE "),
        # The columns of a table are as wide as what was replaced in them.
        (r"^[|+].*$", lambda row: re.sub(r" +", " ", re.sub("-+", "-", row[0]))),
    )
]

_GRANTED = re.compile(r'lease ([0-9a-f]{16}) granted|"ID"\s*:\s*(\d+)[,\n]+"?TTL')


class Names:
    """The names that a script has for what is new in every run."""

    def __init__(self, endpoint: str, directory: str) -> None:
        self._directory = directory
        self._names = {endpoint: "127.0.0.1:2379", directory: "DIR"}
        self._lease_ids: list[int] = []

    def learn(self, output: str) -> None:
        """Name the leases that `output` says are granted."""
        for hexadecimal, decimal in _GRANTED.findall(output):
            lease_id = int(hexadecimal, 16) if hexadecimal else int(decimal)
            if lease_id in self._lease_ids:
                continue
            self._lease_ids.append(lease_id)
            name = f"LEASE{len(self._lease_ids)}"
            self._names[f"{lease_id:016x}"] = name
            self._names[str(lease_id)] = name

    def put_in(self, text: str) -> str:
        """Replace the names in a command by what they stand for."""
        for number, lease_id in enumerate(self._lease_ids, 1):
            text = re.sub(rf"\bLEASE{number}\b", f"{lease_id:016x}", text)
        return re.sub(r"\bDIR\b", self._directory, text)

    def normal(self, output: str) -> str:
        """Put the names into `output`, and take out what no two runs share."""
        for value, name in self._names.items():
            output = output.replace(value, name)
        for pattern, text in _REPLACEMENTS:
            output = pattern.sub(text, output)
        return output
