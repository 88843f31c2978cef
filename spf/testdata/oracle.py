"""Evaluates SPF with pyspf, as the other side of TestDifferentialPySPF.

Each line of the input is a JSON object with zone, ip, sender and helo; each line
of the output is a result. A zone is a list of lines "name TYPE data".
"""
import json
import sys

import spf

records = {}


def lookup(name, qtype, strict=True, timeout=20):
    return [((name, qtype), value) for value in records.get((name.lower().rstrip("."), qtype), [])]


def load(lines):
    records.clear()
    for line in lines:
        name, qtype, data = line.split(" ", 2)
        if qtype == "TXT":
            value = [data.strip('"').encode()]
        elif qtype == "MX":
            pref, host = data.split()
            value = (int(pref), host)
        else:
            value = data
        records.setdefault((name, qtype), []).append(value)


spf.DNSLookup = lookup
for line in sys.stdin:
    case = json.loads(line)
    load(case["zone"])
    result, _ = spf.check2(i=case["ip"], s=case["sender"], h=case["helo"])
    print(result, flush=True)
