"""Claim: ACAS Xu network 1_1 has 71,930 activation regions on the box of property 3, in seconds.

The collision avoidance networks (5 inputs, 6 layers of 50 units) in ONNX, on the input boxes of
properties 3 and 4 of the verification benchmark. Other networks are cut short after --seconds;
the answer is then a proved lower bound.
"""

import common  # isort: skip

import sys

import linregions as lr

CASES = (("1_1", 3), ("1_1", 4), ("2_1", 3), ("2_1", 4), ("3_3", 3), ("3_3", 4))
KNOWN = {("1_1", 3): 71_930}
SECONDS = 3.0


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--seconds", type=float, default=60.0, help="for one count at most (60)")
    options = p.parse_args()
    report = common.Report("ACAS Xu", options)
    print(f"Compile or read from cache: {common.compile_apart():.2f} s.")
    rows = []
    for name, prop in CASES[:1] if options.quick else CASES:
        model = common.data(f"acasxu/ACASXU_run2a_{name}_batch_2000.onnx")
        box = common.data(f"acasxu/prop_{prop}.vnnlib")
        if model is None or box is None:
            sys.exit("the shared data is absent; set LINREGIONS_DATA")
        net = lr.load(model)
        seconds, answer = common.best(
            lambda net=net, box=box: lr.count(
                net, lr.Box.from_vnnlib(box), seconds=options.seconds
            ),
            1,
        )
        s = answer.stats
        rows.append(
            {
                "network": name,
                "property": prop,
                "regions": int(answer),
                "complete": answer.complete,
                "exact": answer.exact,
                "seconds": seconds,
                "regions/s": int(answer) / seconds,
                "tests": s["tests"],
                "by the bounding box": s["bounding_box"],
                "LPs": s["lps"],
                "float proofs": s["float_proofs"],
                "integer proofs": s["integer_proofs"],
                "rational": s["rational"],
            }
        )
        print(answer.describe(), flush=True)
    report.table("Activation regions", rows)
    first = rows[0]
    report.claim(
        f"1_1 on property 3: {KNOWN['1_1', 3]:,} regions, exact, in under {SECONDS:g} s",
        first["regions"] == KNOWN["1_1", 3]
        and first["complete"]
        and first["exact"]
        and first["seconds"] < SECONDS,
        f"{first['regions']:,} in {first['seconds']:.1f} s",
    )
    report.end()


if __name__ == "__main__":
    main()
